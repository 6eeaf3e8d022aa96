// The player itself: what is shown, the clock, and the loop that draws only when something has changed.
{
  const $ = (id) => document.getElementById(id), root = document.documentElement, host = $("panels");
  const state = K.state;
  let dirty = true, last = 0, drawn = 0, panels = [];

  K.touch = () => { dirty = true; };
  K.fitCanvas = (canvas, width, height, ratio) => {
    const w = Math.max(1, Math.round(width * ratio)), h = Math.max(1, Math.round(height * ratio));
    if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
  };
  K.ghosts = () => panels.flatMap((panel) => panel.ghosts);

  /** Show one recording, or several on one clock. */
  K.show = (motions, { keepView = false } = {}) => {
    K.motions = motions.map(K.decode);
    if (!motions.length) { panels = []; host.replaceChildren(); K.state.playing = false; return; }
    K.setColours(K.motions[0].colours);
    K.pointed = null; K.tip(null);
    panels = K.motions.flatMap((motion) => motion.panels.map((panel) => { panel.of = motion; return panel; }));
    host.replaceChildren(); host.style.setProperty("--columns", String(Math.min(panels.length, 3)));
    host.classList.toggle("mixed", panels.length === 2 && panels[0].dims !== panels[1].dims);
    for (const panel of panels) {
      const figure = document.createElement("figure"), canvas = document.createElement("canvas"), caption = document.createElement("figcaption");
      caption.textContent = (K.motions.length > 1 ? panel.of.title + " · " : "") + panel.title;
      canvas.setAttribute("role", "img");
      const ahead = panel.ghosts.length ? ", with a forecast" : "";
      canvas.setAttribute("aria-label", `${panel.title}, ${panel.dims}D, ${panel.people} ${panel.people === 1 ? "person" : "people"}, ${panel.frames} frames${ahead}`);
      figure.className = panel.dims === 3 ? "solid" : "flat";
      if (panel.dims === 3) { canvas.className = "orbit"; canvas.tabIndex = 0; }
      figure.append(canvas, caption);
      host.append(figure);
      panel.canvas = canvas;
      panel.brush = canvas.getContext("2d");
      panel.target = panel.centre.slice();
      K.hold(panel);
    }
    state.observed = Math.max(...panels.flatMap((p) => [p, ...(p.others ?? [])]).map((track) => track.end));
    state.duration = Math.max(state.observed, ...K.ghosts().map((g) => g.end));
    K.lead = panels.reduce((a, b) => (b.fps > a.fps ? b : a));
    state.begin = K.lead.first / (K.lead.fps * K.lead.stride);  // seconds of the recording that were cut off before
    const solid = panels.find((p) => p.dims === 3), flat = !solid;
    if (!keepView) {
      K.home = { azimuth: solid?.azimuth ?? 0, elevation: 0.21, zoom: 1, panX: 0, panY: 0, front: solid?.front ?? 0 };
      Object.assign(K.camera, K.home);
      state.follow = K.motions.some((m) => m.follow);
      state.time = 0;
      state.playing = !K.calm && state.duration > 0;
    }
    state.time = Math.min(state.time, state.duration);
    for (const id of ["follow", "reset"]) $(id).hidden = flat;
    $("ghosts").hidden = !K.ghosts().length;
    document.querySelector(".legend .forecast").hidden = !K.ghosts().length;
    const notes = [...new Set(K.motions.flatMap((m) => m.notes))];
    $("notes").replaceChildren(...notes.map((note) => { const item = document.createElement("li"); item.textContent = note; return item; }));
    $("assumed").hidden = !notes.length;
    document.body.classList.toggle("still", state.duration === 0);
    K.layTimeline();
    K.touch();
  };

  function draw() {
    for (const panel of panels) {
      const box = panel.canvas.getBoundingClientRect(), ratio = Math.min(devicePixelRatio || 1, 2) * (state.playing ? fineness : 1);
      K.fitCanvas(panel.canvas, box.width, box.height, ratio);
      panel.brush.setTransform(ratio, 0, 0, ratio, 0, 0);
      panel.brush.clearRect(0, 0, box.width, box.height);
      (panel.dims === 3 ? K.draw3d : K.draw2d)(panel, box.width, box.height);
    }
    K.ring();
    if (K.pointed) K.tell();
    K.drawTimeline();
    const { time, duration, observed, begin } = state, frame = Math.min(Math.round(time * K.lead.fps), K.lead.frames - 1);
    const scrub = $("scrub"), value = String(duration ? Math.round(1000 * time / duration) : 0);
    if (scrub.value !== value) scrub.value = value;
    const ahead = time > observed + 1e-6 ? ` · forecast +${(time - observed).toFixed(2)} s` : ` · frame ${K.lead.first + frame * K.lead.stride}`;
    $("clock").textContent = duration ? `${(begin + time).toFixed(2)} / ${(begin + duration).toFixed(2)} s${ahead}` : "1 frame";
    scrub.setAttribute("aria-valuetext", $("clock").textContent);
    $("play").classList.toggle("playing", state.playing);
    $("play").setAttribute("aria-label", state.playing ? "Pause" : "Play");
    for (const id of ["follow", "ghosts"]) $(id).setAttribute("aria-pressed", String(state[id]));
    const { azimuth, elevation, zoom } = K.camera;
    Object.assign(document.body.dataset, { frame: String(frame), azimuth: azimuth.toFixed(3), elevation: elevation.toFixed(3), zoom: zoom.toFixed(3),
      playing: String(state.playing), speed: String(state.speed), time: time.toFixed(3), drawn: String(++drawn), panels: String(panels.length),
      ghost: String(panels.reduce((n, p) => n + (p.ghostShown ?? 0), 0)) });
  }

  // A machine that cannot keep up while playing gets fewer pixels, not fewer frames; at rest the picture is sharp again.
  let fineness = 1, pace = 1 / 60;
  function measure(lapse) {
    pace += 0.1 * (lapse - pace);
    if (pace > 0.034) { fineness = Math.max(0.5, fineness * 0.85); pace = 0.026; } else if (pace < 0.018 && fineness < 1) { fineness = Math.min(1, fineness * 1.01); }
  }

  function tick(now) {
    const lapse = Math.min(Math.max(now - last, 0) / 1000, 0.1);
    if (state.playing) measure(lapse);
    if (state.playing && state.duration > 0) {
      state.time += lapse * state.speed;
      if (state.time > state.duration) state.time = state.time - state.duration < 0.5 * state.speed ? 0 : state.duration;
      dirty = true;
    }
    K.coast(lapse);
    last = now;
    if (dirty && panels.length) { dirty = false; draw(); }
    requestAnimationFrame(tick);
  }

  K.play = (on) => { state.playing = on && state.duration > 0; K.touch(); };
  K.seek = (time) => { state.time = Math.min(Math.max(time, 0), state.duration); K.touch(); };
  K.step = (n) => { K.play(false); K.seek((Math.round(state.time * K.lead.fps) + n) / K.lead.fps); };
  K.setSpeed = (value) => { state.speed = value; $("speed").value = String(value); K.touch(); };

  const scheme = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => { root.dataset.theme = scheme.matches ? "dark" : "light"; K.readTheme(); K.touch(); };
  scheme.addEventListener("change", follow);
  addEventListener("resize", K.touch);
  new ResizeObserver(K.touch).observe(host);
  K.run = () => { follow(); requestAnimationFrame((now) => { last = now; tick(now); }); };
}
