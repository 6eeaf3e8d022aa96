// The served page: files in, a list of results, comparing, forecasts from a moment, downloads.
{
  const $ = (id) => document.getElementById(id);
  const server = JSON.parse($("about-server").textContent);
  const root = location.origin + location.pathname.replace(/\/*$/, "/");  // mounted under a path, with or without a last slash
  const results = [];  // {id, summary, motion}, the newest first
  const hero = $("hero");
  let shown = null, rival = null, mode = "beside", busy = 0;

  const say = (text, bad = false) => { $("status").textContent = text; $("status").classList.toggle("bad", bad); };
  const answer = async (response) => {
    const told = response.headers.get("content-type")?.startsWith("application/json") ? await response.json() : {};
    if (!response.ok) throw Object.assign(new Error(told.error ?? `the viewer answered ${response.status}`), { status: response.status });
    return told;
  };
  const failed = [];
  /** Something that takes a while. What fails is told once nothing is under way: no failure hides another, and no success hides one. */
  async function work(doing) {
    if (!busy++) { failed.length = 0; say(""); }
    document.body.classList.add("busy");
    try { await doing(); } catch (error) { failed.push(error.message); }
    if (--busy) return;
    document.body.classList.remove("busy");
    say([...failed.slice(0, 6), ...failed.length > 6 ? [`and ${failed.length - 6} more`] : []].join("\n"), failed.length > 0);
  }
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));

  // ---- files in --------------------------------------------------------------------------------------------------
  async function send(name, blob) {
    if (blob.size > server.limit) throw new Error(`${name}: ${(blob.size / 2 ** 20).toFixed(0)} MB; the viewer takes ${server.limit_mb}`);
    const query = new URLSearchParams({ name });
    if ($("layout").value) query.set("layout", $("layout").value);
    if ($("rate").value) query.set("fps", $("rate").value);
    for (let tries = 0; ; tries++) {
      try { return await answer(await fetch(`${root}api/files?${query}`, { method: "POST", body: blob })); }
      catch (error) { if (error.status !== 429 || tries >= 15) throw error; await pause(1000 + 500 * Math.random()); }
    }
  }
  /** Whether a JSON file is one frame of OpenPose; one that cannot be parsed is by its name, so that the server names the fault. */
  async function isFrame(file, named) {
    if (file.size > 2 ** 20) return false;  // a frame of thirty people, faces and hands takes a tenth
    try {
      const { people } = JSON.parse(await file.text());
      return Array.isArray(people) && people.every((p) => p.pose_keypoints_2d ?? p.pose_keypoints);
    } catch { return named; }
  }
  const stemOf = (file) => file.name.replace(/\.[^.]*$/, "").toLowerCase();
  /** The ASF of an AMC, chosen as the server's find_asf does: the longest leading part of its name that ends at an underscore, or the only one. */
  function bodyOf(clip, bodies) {
    const pieces = stemOf(clip).split("_");
    for (let count = pieces.length; count; count--) {
      const found = bodies.find((body) => stemOf(body) === pieces.slice(0, count).join("_"));
      if (found) return found;
    }
    return bodies.length === 1 ? bodies[0] : null;  // without one the server refuses it
  }
  /** What to send: frames of one video together, an AMC with its ASF, every other file by itself. */
  async function recordings(files) {
    const { label } = files, jobs = [], videos = new Map(), taken = new Set(), bodies = files.filter((f) => f.name.toLowerCase().endsWith(".asf"));
    for (const file of files) {
      if (bodies.includes(file)) continue;
      const [, stem, number, keypoints] = /^(.*?)(\d+)(_keypoints)?\.json$/i.exec(file.name) ?? [];
      if (number && await isFrame(file, Boolean(keypoints))) {
        const of = `${stem}/${keypoints ?? ""}`, video = videos.get(of) ?? { stem, numbers: [], files: [] };
        if (!videos.has(of)) jobs.push(video);
        videos.set(of, video);
        video.numbers.push(number); video.files.push(file);
        continue;
      }
      const name = file.name.split(".")[0], own = file.name.toLowerCase().endsWith(".amc") ? bodyOf(file, bodies) : null;
      jobs.push(own ? { name: `${name}.zip`, files: [own, file] } : { name: file.name, files: [file] });
      if (own) taken.add(own);
    }
    for (const body of bodies) if (!taken.has(body)) jobs.push({ name: body.name, files: [body] });  // a pose by itself
    return jobs.flatMap(({ name, stem, numbers, files }) => {
      if (name) return { name, files };
      // Frame numbers are padded, or go on and on; cam1.json and cam2.json are what two cameras saw at once.
      const padded = numbers[0].length > 1 && numbers.every((n) => n.length === numbers[0].length);
      if (files.length < 2 || !(padded || !stem || files.length >= 10)) return files.map((file) => ({ name: file.name, files: [file] }));
      return { name: `${(jobs.length === 1 && label) || stem.replace(/[_-]$/, "") || "frames"}.zip`, files };
    });
  }
  async function open(files) {
    if (files.length) await work(async () => {
      for (const job of await recordings(files)) {
        say(`reading ${job.name} …`);
        try { await add(await send(job.name, job.files.length > 1 ? await K.pack(job.files) : job.files[0])); }
        catch (error) { failed.push(error.message); }
      }
    });
  }
  async function add(summary) {
    const motion = await answer(await fetch(`${root}api/results/${summary.id}`));
    results.unshift({ id: summary.id, summary, motion });
    remember();
    choose(results[0]);
  }
  const remember = () => { try { sessionStorage.setItem("results", JSON.stringify(results.map((r) => r.id))); } catch { /* private windows keep nothing */ } };
  async function recall() {
    let ids = [];
    try { ids = JSON.parse(sessionStorage.getItem("results") ?? "[]"); } catch { /* as above */ }
    for (const id of ids) {
      try {
        const [summary, motion] = await Promise.all([`${root}api/results/${id}/summary`, `${root}api/results/${id}`].map(async (url) => answer(await fetch(url))));
        results.push({ id, summary, motion });
      } catch { /* the server has let it go */ }
    }
    if (results.length) choose(results[0]); else list();
  }

  // ---- what is shown ---------------------------------------------------------------------------------------------
  const solidOf = (result) => result?.motion.panels.find((panel) => panel.dims === 3);
  function choose(result, keepView = false) {
    shown = result;
    if (rival === shown || !results.includes(rival)) rival = null;
    hero.hidden = Boolean(shown);
    list();
    if (!shown) { K.show([]); $("panels").append(hero); $("title").textContent = document.title = "Kinegraph"; links(); return; }
    for (const one of results) { const solid = solidOf(one); if (solid) { solid.others = null; solid.offset = null; } }
    const both = rival && solidOf(shown) && solidOf(rival);
    if (both && mode === "overlay") {
      K.decode(rival.motion); K.decode(shown.motion);
      const mine = solidOf(shown), theirs = solidOf(rival), a = K.middle(mine, 0), b = K.middle(theirs, 0);
      theirs.offset = [a && b ? a[0] - b[0] : 0, mine.ground - theirs.ground, a && b ? a[1] - b[1] : 0];
      mine.others = [theirs];
      K.show([{ ...shown.motion, panels: [mine] }], { keepView });
    } else if (rival) {
      const views = [shown, rival].map(({ motion }) => (both ? { ...K.decode(motion), panels: motion.panels.filter((p) => p.dims === 3) } : motion));
      K.show(views, { keepView });
    } else K.show([shown.motion], { keepView });
    const title = rival ? `${shown.summary.name} and ${rival.summary.name}` : shown.summary.name;
    $("title").textContent = title; document.title = `${title} · Kinegraph`;
    document.querySelector(".legend .other").hidden = !(both && mode === "overlay");
    document.querySelector(".legend .other").textContent = rival?.summary.name ?? "";
    links();
  }
  /** New children for a place; the keyboard stays on the control that it was on. */
  function renew(place, ...children) {
    const at = place.contains(document.activeElement) && document.activeElement.dataset.at;
    place.replaceChildren(...children);
    if (at) place.querySelector(`[data-at="${at}"]`)?.focus();
  }
  function list() {
    renew($("results"), ...results.map((result) => {
      const { name, people, frames, fps, layout, lifted, actions } = result.summary, item = document.createElement("li");
      const pick = document.createElement("button"), title = document.createElement("b"), about = document.createElement("small");
      title.textContent = name;
      about.textContent = [`${frames} frames`, fps ? `${+fps.toFixed(1)} fps` : "", people > 1 ? `${people} people` : "", layout, lifted ? "lifted" : "", actions.slice(0, 2).join(", ").replaceAll("_", " ")].filter(Boolean).join("\u00a0· ");
      pick.type = "button"; pick.className = "pick"; pick.append(title, about); pick.onclick = () => choose(result);
      pick.setAttribute("aria-current", String(result === shown));
      const versus = document.createElement("button"), gone = document.createElement("button");
      versus.type = gone.type = "button";
      versus.className = "versus"; versus.textContent = "compare"; versus.hidden = result === shown || results.length < 2;
      versus.title = `Compare with ${shown?.summary.name ?? ""}`;
      versus.setAttribute("aria-pressed", String(result === rival));
      versus.onclick = () => { rival = rival === result ? null : result; choose(shown); };
      gone.className = "gone"; gone.textContent = "×"; gone.setAttribute("aria-label", `Remove ${name}`);
      gone.onclick = () => {
        fetch(`${root}api/results/${result.id}`, { method: "DELETE" });
        const held = gone === document.activeElement, row = results.indexOf(result);
        results.splice(row, 1); remember();
        choose(result === shown ? results[0] ?? null : shown);
        if (held) ($("results").querySelectorAll(".gone")[Math.min(row, results.length - 1)] ?? $("file")).focus();
      };
      item.className = result === shown ? "shown" : "";
      for (const control of [pick, versus, gone]) control.dataset.at = `${control.className} ${result.id}`;
      item.append(pick, versus, gone);
      return item;
    }));
    $("pair").hidden = !rival;
    for (const id of ["beside", "overlay"]) $(id).setAttribute("aria-pressed", String(mode === id));
    document.body.classList.toggle("empty", !results.length);
  }
  for (const id of ["beside", "overlay"]) $(id).onclick = () => { mode = id; choose(shown, true); };

  // ---- downloads -------------------------------------------------------------------------------------------------
  const KINDS = [["bvh", "BVH", "Blender, MotionBuilder"], ["glb", "GLB", "rig with limbs"], ["trc", "TRC", "OpenSim"], ["csv", "CSV", "table"],
    ["npz", "npz", "NumPy"], ["json", "JSON", "readable"], ["html", "HTML", "this player in one page"]];
  function links() {
    $("save").hidden = $("foresee").hidden = !shown;
    if (!shown) return;
    $("foresee").hidden = !solidOf(shown) || !shown.summary.forecast;
    const solid = Boolean(solidOf(shown)), what = solid ? ($("whole")?.checked && shown.summary.forecast ? "whole" : "3d") : "2d";
    const kinds = solid ? KINDS : KINDS.filter(([kind]) => ["csv", "npz", "json", "html"].includes(kind));
    const rows = kinds.map(([kind, name, use]) => {
      const link = document.createElement("a"), small = document.createElement("small");
      link.href = `${root}api/results/${shown.id}/download/${kind}?what=${what}`; link.download = ""; link.dataset.kind = link.dataset.at = kind;
      small.textContent = use; link.append(name, small);
      return link;
    });
    const label = document.createElement("label"), box = document.createElement("input");
    box.type = "checkbox"; box.id = box.dataset.at = "whole"; box.checked = what === "whole"; box.onchange = links;
    label.append(box, "with the forecast"); label.hidden = !solid || !shown.summary.forecast;
    renew($("links"), ...rows, label);
  }
  $("links").addEventListener("click", (e) => { if (e.target.closest("a")) $("save").open = false; });
  addEventListener("pointerdown", (e) => { if (!e.target.closest("#save")) $("save").open = false; });
  addEventListener("keydown", (e) => { if (e.key === "Escape" && $("save").open) { $("save").open = false; $("save").firstElementChild.focus(); } });

  // ---- a forecast from this moment -------------------------------------------------------------------------------
  async function foresee() {
    const panel = solidOf(shown);
    if (!panel || $("foresee").hidden || $("foresee").disabled) return;
    $("foresee").disabled = true;
    await work(async () => {
      const start = Math.min(K.state.time, panel.end), of = shown;
      const query = new URLSearchParams({ start: start.toFixed(3), seconds: String(server.seconds) });
      const track = await answer(await fetch(`${root}api/results/${of.id}/forecast?${query}`, { method: "POST" }));
      // The forecast at the end stays; of those from a moment, the last.
      panel.ghosts = [...panel.ghosts.filter((g) => !g.asked), Object.assign(K.unpack(track, panel), { asked: true })];
      if (shown === of) { choose(of, true); K.state.ghosts = true; K.seek(track.start); K.play(true); }
    });
    $("foresee").disabled = false;
  }
  $("foresee").onclick = foresee;

  // ---- hands -----------------------------------------------------------------------------------------------------
  $("file").onchange = () => { open([...$("file").files]); $("file").value = ""; };
  $("pick").onclick = () => $("file").click();
  const sample = $("sample");  // it leaves the page together with the hero
  sample.onclick = async () => {
    sample.disabled = true;
    await work(async () => { say("making a walk …"); await add(await answer(await fetch(`${root}api/sample`, { method: "POST" }))); });
    sample.disabled = false;
  };
  let over = 0;
  addEventListener("dragenter", (e) => { e.preventDefault(); over++; $("veil").hidden = false; });
  addEventListener("dragover", (e) => e.preventDefault());
  addEventListener("dragleave", () => { over = Math.max(0, over - 1); $("veil").hidden = over > 0 ? false : true; });
  addEventListener("drop", async (e) => { e.preventDefault(); over = 0; $("veil").hidden = true; open(await K.dropped(e.dataTransfer)); });
  const turn = (n) => { const i = results.indexOf(shown) + n; if (results[i]) choose(results[i]); };
  Object.assign(K.keys, { n: foresee, u: () => $("file").click(), "[": () => turn(-1), "]": () => turn(1) });
  for (const layout of server.layouts) $("layout").append(new Option(layout, layout));
  document.body.classList.add("served");
  list();
  hero.hidden = false;
  $("panels").append(hero);
  K.run();
  recall();
}
