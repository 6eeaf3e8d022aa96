// Hands on the picture: orbit with inertia, zoom, pan, touch, the joint under the pointer, and the keyboard.
{
  const $ = (id) => document.getElementById(id), c = K.camera;
  const limits = (c) => { c.elevation = Math.min(Math.max(c.elevation, -0.35), 1.55); };
  const glide = K.glide = { azimuth: 0, elevation: 0, zoom: 1 };

  K.orbit = (dx, dy) => { c.azimuth -= dx; c.elevation += dy; limits(c); K.touch(); };
  K.zoom = (by) => { c.zoom = Math.min(Math.max(c.zoom * by, 0.25), 12); K.touch(); };
  K.look = (azimuth, elevation) => { glide.azimuth = glide.elevation = 0; Object.assign(c, { azimuth, elevation }); K.touch(); };
  K.reset = () => { glide.azimuth = glide.elevation = 0; Object.assign(c, K.home); K.touch(); };
  /** After the hand lets go the view runs on and comes to rest. */
  K.coast = (seconds) => {
    if (Math.hypot(glide.azimuth, glide.elevation) < 0.02) { glide.azimuth = glide.elevation = 0; return; }
    K.orbit(glide.azimuth * seconds, glide.elevation * seconds);
    const rest = Math.exp(-4.5 * seconds);
    glide.azimuth *= rest; glide.elevation *= rest;
  };

  // ---- the joint under the pointer ---------------------------------------------------------------------------------
  const tip = $("tip");
  K.tip = (text, x = 0, y = 0) => {
    tip.hidden = text === null;
    if (text === null) return;
    tip.textContent = text;
    const box = tip.getBoundingClientRect();
    tip.style.left = `${Math.min(Math.max(6, x - box.width / 2), innerWidth - box.width - 6)}px`;
    tip.style.top = `${Math.max(6, y - box.height - 12)}px`;
  };
  function nearest(panel, x, y) {
    let best = null, least = 18;
    for (const { track, look } of panel.hits ?? []) track.screen?.forEach((at, person) => {
      for (let j = 0; j < track.count; j++) {
        const d = at[j * 4 + 2] > 0 ? Math.hypot(at[j * 4] - x, at[j * 4 + 1] - y) : Infinity;
        if (d < least) { least = d; best = { panel, track, person, joint: j, forecast: look.tint === K.sideColours.forecast }; }
      }
    });
    return best;
  }
  function hover(panel, e) {
    const box = panel.canvas.getBoundingClientRect(), found = nearest(panel, e.clientX - box.left, e.clientY - box.top);
    if (!found && !K.pointed) return;
    const same = found && K.pointed && found.joint === K.pointed.joint && found.person === K.pointed.person && found.track === K.pointed.track;
    K.pointed = found;
    if (!same) K.touch();
    K.tell();
  }
  /** The tooltip follows its joint while the clip plays. */
  K.tell = () => {
    const at = K.pointed;
    if (!at || !at.panel.canvas.isConnected) { K.pointed = null; K.tip(null); return; }
    const { track, person, joint, panel } = at, p = track.poses[person], s = track.screen[person], box = panel.canvas.getBoundingClientRect();
    if (!(p[joint * 4 + 3] > 0)) { K.tip(null); return; }
    const own = [];  // where the file has the joint: what is shown is turned, and one that is laid over another moved as well
    track.axes.forEach(([axis, sign], d) => { own[axis] = sign * (p[joint * 4 + d] - (track.offset?.[d] ?? 0)); });
    const place = own.map((value, d) => `${"xyz"[d]} ${value.toFixed(track.unit === "px" ? 0 : 2)}`).join("  ");
    const lines = [track.joints[joint].replaceAll("_", " ") + (panel.people > 1 ? ` · person ${person + 1}` : "") + (at.forecast ? " · forecast" : "")];
    lines.push(`${place} ${track.unit === "normalized" ? "" : track.unit}`);
    if (track.trust) lines.push(`confidence ${p[joint * 4 + 3].toFixed(2)}`);
    K.tip(lines.join("\n"), box.left + s[joint * 4], box.top + s[joint * 4 + 1]);
  };
  K.ring = () => {
    const at = K.pointed;
    if (!at) return;
    const s = at.track.screen[at.person], { brush } = at.panel;
    brush.strokeStyle = K.theme.colours.front; brush.lineWidth = 2;
    brush.beginPath(); brush.arc(s[at.joint * 4], s[at.joint * 4 + 1], 8, 0, 7); brush.stroke();
  };

  // ---- mouse, pen and fingers ------------------------------------------------------------------------------------
  K.hold = (panel) => {
    const fingers = new Map(), { canvas } = panel, solid = panel.dims === 3;
    let moved = 0, last = 0, speed = [0, 0];
    canvas.onpointerdown = (e) => {
      moved = 0; speed = [0, 0]; last = e.timeStamp; glide.azimuth = glide.elevation = 0;
      if (solid) { canvas.setPointerCapture(e.pointerId); fingers.set(e.pointerId, [e.clientX, e.clientY]); K.tip(null); K.pointed = null; }
    };
    canvas.onpointerup = canvas.onpointercancel = (e) => {
      const alone = fingers.delete(e.pointerId) && fingers.size === 0;
      if (alone && !K.calm && e.timeStamp - last < 60 && !e.shiftKey) [glide.azimuth, glide.elevation] = speed;
      if (moved < 5 && e.pointerType !== "mouse") hover(panel, e);
      K.touch();
    };
    canvas.onpointermove = (e) => {
      const before = fingers.get(e.pointerId);
      if (!before) { if (e.pointerType === "mouse") hover(panel, e); return; }
      const dx = e.clientX - before[0], dy = e.clientY - before[1], size = canvas.clientHeight || 1;
      moved += Math.abs(dx) + Math.abs(dy);
      if (fingers.size === 2) {
        const other = [...fingers].find(([id]) => id !== e.pointerId)[1];
        const was = Math.hypot(before[0] - other[0], before[1] - other[1]), is = Math.hypot(e.clientX - other[0], e.clientY - other[1]);
        if (was > 0) K.zoom(is / was);
        c.panX += dx / size / c.zoom; c.panY -= dy / size / c.zoom;
      } else if (e.shiftKey || e.buttons === 2) { c.panX += 2 * dx / size / c.zoom; c.panY -= 2 * dy / size / c.zoom; K.touch(); }
      else {
        K.orbit(dx * 0.008, dy * 0.008);
        const lapse = Math.max(0.004, (e.timeStamp - last) / 1000), keep = 0.6;
        const blend = (v, d) => Math.min(Math.max(v * keep + (1 - keep) * d * 0.008 / lapse, -7), 7);
        speed = [blend(speed[0], dx), blend(speed[1], dy)];
        last = e.timeStamp;
      }
      fingers.set(e.pointerId, [e.clientX, e.clientY]);
    };
    canvas.onpointerleave = () => { if (K.pointed?.panel === panel && !fingers.size) { K.pointed = null; K.tip(null); K.touch(); } };
    if (!solid) return;
    canvas.oncontextmenu = (e) => e.preventDefault();
    canvas.ondblclick = K.reset;
    canvas.addEventListener("wheel", (e) => { e.preventDefault(); K.zoom(Math.exp(-e.deltaY * 0.0012)); }, { passive: false });
  };

  // ---- buttons and keys --------------------------------------------------------------------------------------------
  const speeds = Array.from($("speed").options, (o) => Number(o.value));
  const faster = (n) => K.setSpeed(speeds[Math.min(Math.max(speeds.indexOf(K.state.speed) + n, 0), speeds.length - 1)]);
  const flip = (key) => () => { K.state[key] = !K.state[key]; K.touch(); };
  const theme = () => { document.documentElement.dataset.theme = K.theme.dark ? "light" : "dark"; K.readTheme(); K.touch(); };
  const help = () => { const box = $("help"); if (box.open) box.close(); else box.showModal(); };
  $("play").onclick = () => K.play(!K.state.playing);
  $("back").onclick = () => K.step(-1);
  $("next").onclick = () => K.step(1);
  $("speed").onchange = (e) => K.setSpeed(Number(e.target.value));
  $("follow").onclick = flip("follow"); $("ghosts").onclick = flip("ghosts"); $("reset").onclick = K.reset;
  $("theme").onclick = theme; $("about").onclick = help;
  $("help").addEventListener("click", (e) => { if (e.target === $("help")) $("help").close(); });
  const keys = K.keys = {
    " ": () => K.play(!K.state.playing), ArrowLeft: () => K.step(-1), ArrowRight: () => K.step(1), Home: () => { K.play(false); K.seek(0); },
    End: () => { K.play(false); K.seek(K.state.duration); }, ArrowUp: () => faster(1), ArrowDown: () => faster(-1),
    ",": () => K.step(-10), ".": () => K.step(10),
    a: () => K.orbit(0.1, 0), d: () => K.orbit(-0.1, 0), w: () => K.orbit(0, 0.1), s: () => K.orbit(0, -0.1),
    "+": () => K.zoom(1.15), "=": () => K.zoom(1.15), "-": () => K.zoom(1 / 1.15),
    1: () => K.look(K.home.front, 0.12), 2: () => K.look(K.home.front + Math.PI / 2, 0.12), 3: () => K.look(K.home.front, 1.5),
    f: flip("follow"), g: flip("ground"), p: flip("trail"), o: flip("ghosts"), r: K.reset, t: theme, h: help, "?": help,
  };
  addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.matches("input:not([type=range]), textarea")) return;
    const open = document.querySelector("dialog[open]");
    const act = keys[e.key.length === 1 ? e.key.toLowerCase() : e.key];
    // A focused button or list keeps its own keys; everything else is the player's.
    if (!act || (open && act !== help) || (e.key === " " && e.target.closest("button, summary, a")) || (e.target.matches("select") && e.key.startsWith("Arrow"))) return;
    e.preventDefault(); act();
  });
}
