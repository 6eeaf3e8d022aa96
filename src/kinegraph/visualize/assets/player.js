"use strict";
(() => {
  // ---- data: joints are 16-bit steps from an origin, -32768 means "not there" -------------------------------
  const motion = JSON.parse(document.getElementById("motion").textContent);
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  for (const panel of motion.panels) {
    const view = new DataView(bytes(panel.data).buffer);
    panel.steps = new Int16Array(view.byteLength / 2);
    for (let i = 0; i < panel.steps.length; i++) panel.steps[i] = view.getInt16(2 * i, true);
    panel.trust = panel.confidence ? bytes(panel.confidence) : null;
    panel.count = panel.joints.length;
  }
  const duration = Math.max(...motion.panels.map((p) => (p.frames - 1) / p.fps));
  const lead = motion.panels.reduce((a, b) => (b.fps > a.fps ? b : a));

  // ---- state -------------------------------------------------------------------------------------------------
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const state = { time: 0, playing: !calm && duration > 0, speed: 1, follow: motion.follow, ground: true };
  const first3d = motion.panels.find((p) => p.dims === 3);
  const home = { azimuth: first3d ? first3d.azimuth : 0, elevation: 0.21, zoom: 1, panX: 0, panY: 0 };
  const camera = { ...home };
  const root = document.documentElement;
  root.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  // ---- the pose at a time: neighbours are blended, so slow motion is smooth ------------------------------------
  function pose(panel, person, time, out) {
    const at = Math.min(Math.max(time * panel.fps, 0), panel.frames - 1);
    const low = Math.floor(at + 1e-6), high = Math.min(low + 1, panel.frames - 1), mix = Math.max(0, at - low);
    const { dims, count, steps } = panel;
    for (let j = 0; j < count; j++) {
      const a = ((low * panel.people + person) * count + j) * dims, b = ((high * panel.people + person) * count + j) * dims;
      const there = steps[a] !== -32768, next = steps[b] !== -32768;
      const t = there && next ? mix : 0;
      out[j * 4 + 3] = there ? (panel.trust ? panel.trust[a / dims] / 255 : 1) : 0;
      for (let d = 0; d < dims; d++) out[j * 4 + d] = panel.origin[d] + panel.step * (steps[a + d] * (1 - t) + steps[b + d] * t);
    }
    return out;
  }

  // ---- panels ------------------------------------------------------------------------------------------------
  const host = document.getElementById("panels");
  host.style.setProperty("--columns", String(Math.min(motion.panels.length, 3)));
  for (const panel of motion.panels) {
    const figure = document.createElement("figure");
    const canvas = document.createElement("canvas");
    const caption = document.createElement("figcaption");
    caption.textContent = panel.title;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", panel.title + ", " + panel.people + " people, " + panel.frames + " frames");
    if (panel.dims === 3) { canvas.className = "orbit"; canvas.tabIndex = 0; }
    figure.append(canvas, caption);
    host.append(figure);
    panel.canvas = canvas;
    panel.brush = canvas.getContext("2d");
    panel.buffers = Array.from({ length: panel.people }, () => new Float64Array(panel.count * 4));
    panel.target = panel.centre.slice();
  }

  function project(panel, width, height) {
    const ca = Math.cos(camera.azimuth), sa = Math.sin(camera.azimuth), ce = Math.cos(camera.elevation), se = Math.sin(camera.elevation);
    const distance = panel.radius * 3.1 / camera.zoom, focal = Math.min(width, height) * 1.42;
    const [tx, ty, tz] = panel.target;
    return (x, y, z) => {
      const dx = x - tx, dy = y - ty, dz = z - tz;
      const right = ca * dx - sa * dz, back = sa * dx + ca * dz;
      const up = ce * dy - se * back, depth = distance - (se * dy + ce * back);
      const scale = focal / Math.max(depth, 1e-6);
      return [width / 2 + (right + camera.panX * panel.radius) * scale, height / 2 - (up + camera.panY * panel.radius) * scale, depth, scale];
    };
  }

  function stroke(brush, a, b, width, paint) {
    brush.strokeStyle = paint; brush.lineWidth = width;
    brush.beginPath(); brush.moveTo(a[0], a[1]); brush.lineTo(b[0], b[1]); brush.stroke();
  }

  function drawGround(panel, put, near) {
    const { brush, radius, ground } = panel;
    const cell = panel.cell, reach = Math.ceil(Math.max(radius * 2.2, cell * 4) / cell);
    const cx = Math.round(panel.target[0] / cell) * cell, cz = Math.round(panel.target[2] / cell) * cell, tint = colour("--grid");
    for (let i = -reach; i <= reach; i++) {
      for (let k = -reach; k < reach; k++) {
        const fade = 1 - Math.hypot(i, k + 0.5) / reach;
        if (fade <= 0) continue;
        for (const turn of [0, 1]) {
          const a = turn ? put(cx + i * cell, ground, cz + k * cell) : put(cx + k * cell, ground, cz + i * cell);
          const b = turn ? put(cx + i * cell, ground, cz + (k + 1) * cell) : put(cx + (k + 1) * cell, ground, cz + i * cell);
          if (a[2] < near || b[2] < near) continue;
          stroke(brush, a, b, 1, `rgba(${tint},${(0.5 * fade).toFixed(3)})`);
        }
      }
    }
  }

  function draw3d(panel, width, height) {
    const { brush, bones } = panel;
    const poses = panel.buffers.map((buffer, person) => pose(panel, person, state.time, buffer));
    if (state.follow) {
      let n = 0, x = 0, z = 0;
      for (const p of poses) for (let j = 0; j < panel.count; j++) if (p[j * 4 + 3] > 0) { x += p[j * 4]; z += p[j * 4 + 2]; n++; }
      if (n) panel.target = [x / n, panel.centre[1], z / n];
    } else panel.target = panel.centre.slice();
    const put = project(panel, width, height), near = panel.radius * 0.05;
    brush.lineCap = "round";
    if (state.ground) {
      drawGround(panel, put, near);
      brush.globalAlpha = 0.16;
      brush.strokeStyle = colour("--front");
      for (const p of poses) {
        // One path a person: overlapping strokes of their own would darken every joint.
        brush.beginPath();
        let scale = 0;
        for (const [a, b] of bones) {
          if (!(p[a * 4 + 3] > 0 && p[b * 4 + 3] > 0)) continue;
          const s = put(p[a * 4], panel.ground, p[a * 4 + 2]), e = put(p[b * 4], panel.ground, p[b * 4 + 2]);
          if (s[2] < near || e[2] < near) continue;
          brush.moveTo(s[0], s[1]); brush.lineTo(e[0], e[1]); scale = Math.max(scale, s[3]);
        }
        brush.lineWidth = Math.max(1, panel.thickness * scale);
        brush.stroke();
      }
      brush.globalAlpha = 1;
    }
    const halo = colour("--card"), marks = [];
    poses.forEach((p, person) => {
      const at = Array.from({ length: panel.count }, (_, j) => (p[j * 4 + 3] > 0 ? put(p[j * 4], p[j * 4 + 1], p[j * 4 + 2]) : null));
      bones.forEach(([a, b], i) => {
        if (at[a] && at[b] && at[a][2] > near && at[b][2] > near)
          marks.push({ depth: (at[a][2] + at[b][2]) / 2, a: at[a], b: at[b], side: panel.sides[i], person, trust: Math.min(p[a * 4 + 3], p[b * 4 + 3]) });
      });
      at.forEach((spot, j) => { if (spot && spot[2] > near) marks.push({ depth: spot[2] - panel.thickness * 0.2, a: spot, side: panel.jointSides[j], person, trust: p[j * 4 + 3] }); });
      if (panel.people > 1) {
        const top = at.filter(Boolean).reduce((t, s) => (!t || s[1] < t[1] ? s : t), null);
        if (top) marks.push({ depth: -1, a: top, label: String(person + 1) });
      }
    });
    marks.sort((m, n) => n.depth - m.depth);
    for (const m of marks) paint(panel, m, halo, Math.max(1.6, panel.thickness * m.a[3]));
  }

  function paint(panel, m, halo, width) {
    const { brush } = panel;
    if (m.label) { brush.fillStyle = colour("--soft"); brush.font = "600 13px system-ui, sans-serif"; brush.textAlign = "center"; brush.fillText(m.label, m.a[0], m.a[1] - 14); return; }
    const tint = m.side === "c" ? motion.colours.people[m.person % motion.colours.people.length] : motion.colours[m.side];
    brush.globalAlpha = m.trust < 0.3 ? 0.4 : 1;
    if (m.b) {
      brush.globalAlpha = Math.min(brush.globalAlpha, 0.9);
      brush.lineCap = "butt";
      stroke(brush, m.a, m.b, width + 3, halo);
      brush.lineCap = "round";
      brush.globalAlpha = m.trust < 0.3 ? 0.4 : 1;
      if (m.trust < 0.3) brush.setLineDash([width, width * 1.6]);
      stroke(brush, m.a, m.b, width, tint);
      brush.setLineDash([]);
    } else {
      brush.fillStyle = tint; brush.beginPath(); brush.arc(m.a[0], m.a[1], width * 0.72, 0, 7); brush.fill();
      brush.fillStyle = halo; brush.beginPath(); brush.arc(m.a[0], m.a[1], width * 0.3, 0, 7); brush.fill();
    }
    brush.globalAlpha = 1;
  }

  function draw2d(panel, width, height) {
    const { brush } = panel;
    const [left, top, right, bottom] = panel.frame;
    const scale = Math.min((width - 24) / (right - left), (height - 48) / (bottom - top));
    const ox = width / 2 - scale * (left + right) / 2, oy = (height + 20) / 2 - scale * (top + bottom) / 2;
    brush.strokeStyle = colour("--line"); brush.lineWidth = 1;
    brush.strokeRect(ox + left * scale, oy + top * scale, (right - left) * scale, (bottom - top) * scale);
    brush.lineCap = "round";
    const halo = colour("--card"), thick = Math.max(2, panel.thickness * scale);
    panel.buffers.forEach((buffer, person) => {
      const p = pose(panel, person, state.time, buffer);
      const at = Array.from({ length: panel.count }, (_, j) => (p[j * 4 + 3] > 0 ? [ox + p[j * 4] * scale, oy + p[j * 4 + 1] * scale] : null));
      panel.bones.forEach(([a, b], i) => { if (at[a] && at[b]) paint(panel, { a: at[a], b: at[b], side: panel.sides[i], person, trust: Math.min(p[a * 4 + 3], p[b * 4 + 3]) }, halo, thick); });
      at.forEach((spot, j) => { if (spot) paint(panel, { a: spot, side: panel.jointSides[j], person, trust: p[j * 4 + 3] }, halo, thick); });
    });
  }

  // ---- the loop: draws only when something changed -------------------------------------------------------------
  const $ = (id) => document.getElementById(id);
  let dirty = true, last = 0;
  const touch = () => { dirty = true; };
  function draw() {
    for (const panel of motion.panels) {
      const box = panel.canvas.getBoundingClientRect(), ratio = Math.min(devicePixelRatio || 1, 2);
      const w = Math.max(1, Math.round(box.width * ratio)), h = Math.max(1, Math.round(box.height * ratio));
      if (panel.canvas.width !== w || panel.canvas.height !== h) { panel.canvas.width = w; panel.canvas.height = h; }
      panel.brush.setTransform(ratio, 0, 0, ratio, 0, 0);
      panel.brush.clearRect(0, 0, box.width, box.height);
      (panel.dims === 3 ? draw3d : draw2d)(panel, box.width, box.height);
    }
    const frame = Math.min(Math.round(state.time * lead.fps), lead.frames - 1);
    $("scrub").value = String(duration ? Math.round(1000 * state.time / duration) : 0);
    $("clock").textContent = duration ? `${state.time.toFixed(2)} / ${duration.toFixed(2)} s · frame ${lead.first + frame * lead.stride}` : "1 frame";
    $("play").classList.toggle("playing", state.playing);
    $("play").setAttribute("aria-label", state.playing ? "Pause" : "Play");
    $("follow").setAttribute("aria-pressed", String(state.follow));
    Object.assign(document.body.dataset, { frame: String(frame), azimuth: camera.azimuth.toFixed(3), elevation: camera.elevation.toFixed(3),
      zoom: camera.zoom.toFixed(3), playing: String(state.playing), speed: String(state.speed) });
  }
  function tick(now) {
    if (state.playing && duration > 0) {
      state.time += Math.min((now - last) / 1000, 0.1) * state.speed;
      if (state.time > duration) state.time = 0;
      dirty = true;
    }
    last = now;
    if (dirty) { dirty = false; draw(); }
    requestAnimationFrame(tick);
  }

  // ---- controls ------------------------------------------------------------------------------------------------
  const play = (on) => { state.playing = on && duration > 0; touch(); };
  const seek = (time) => { state.time = Math.min(Math.max(time, 0), duration); touch(); };
  const step = (n) => { play(false); seek((Math.round(state.time * lead.fps) + n) / lead.fps); };
  const orbit = (dx, dy) => { camera.azimuth -= dx; camera.elevation = Math.min(Math.max(camera.elevation + dy, -0.35), 1.55); touch(); };
  const zoom = (by) => { camera.zoom = Math.min(Math.max(camera.zoom * by, 0.25), 12); touch(); };
  const speeds = Array.from($("speed").options, (o) => Number(o.value));
  const setSpeed = (value) => { state.speed = value; $("speed").value = String(value); touch(); };
  const theme = () => { root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark"; touch(); };
  const reset = () => { Object.assign(camera, home); touch(); };
  const follow = () => { state.follow = !state.follow; touch(); };
  $("play").onclick = () => play(!state.playing);
  $("scrub").oninput = (e) => { play(false); seek(duration * Number(e.target.value) / 1000); };
  $("speed").onchange = (e) => setSpeed(Number(e.target.value));
  $("follow").onclick = follow; $("reset").onclick = reset; $("theme").onclick = theme;
  for (const note of motion.notes) { const item = document.createElement("li"); item.textContent = note; $("notes").append(item); }
  document.body.classList.toggle("still", duration === 0);
  if (!first3d) for (const id of ["follow", "reset"]) $(id).hidden = true;

  for (const panel of motion.panels) {
    if (panel.dims !== 3) continue;
    const fingers = new Map();
    panel.canvas.onpointerdown = (e) => { panel.canvas.setPointerCapture(e.pointerId); fingers.set(e.pointerId, [e.clientX, e.clientY]); };
    panel.canvas.onpointerup = panel.canvas.onpointercancel = (e) => fingers.delete(e.pointerId);
    panel.canvas.onpointermove = (e) => {
      const before = fingers.get(e.pointerId);
      if (!before) return;
      const dx = e.clientX - before[0], dy = e.clientY - before[1], size = panel.canvas.clientHeight || 1;
      if (fingers.size === 2) {
        const other = [...fingers].find(([id]) => id !== e.pointerId)[1];
        const was = Math.hypot(before[0] - other[0], before[1] - other[1]), is = Math.hypot(e.clientX - other[0], e.clientY - other[1]);
        if (was > 0) zoom(is / was);
        camera.panX += dx / size / camera.zoom; camera.panY -= dy / size / camera.zoom;
      } else if (e.shiftKey || e.buttons === 2) { camera.panX += 2 * dx / size / camera.zoom; camera.panY -= 2 * dy / size / camera.zoom; touch(); }
      else orbit(dx * 0.008, dy * 0.008);
      fingers.set(e.pointerId, [e.clientX, e.clientY]);
    };
    panel.canvas.oncontextmenu = (e) => e.preventDefault();
    panel.canvas.ondblclick = reset;
    panel.canvas.addEventListener("wheel", (e) => { e.preventDefault(); zoom(Math.exp(-e.deltaY * 0.0012)); }, { passive: false });
  }
  const keys = {
    " ": () => play(!state.playing), ArrowLeft: () => step(-1), ArrowRight: () => step(1), Home: () => seek(0), End: () => seek(duration),
    ArrowUp: () => setSpeed(speeds[Math.min(speeds.indexOf(state.speed) + 1, speeds.length - 1)]),
    ArrowDown: () => setSpeed(speeds[Math.max(speeds.indexOf(state.speed) - 1, 0)]),
    a: () => orbit(0.1, 0), d: () => orbit(-0.1, 0), w: () => orbit(0, 0.1), s: () => orbit(0, -0.1),
    "+": () => zoom(1.15), "=": () => zoom(1.15), "-": () => zoom(1 / 1.15), f: follow, r: reset, t: theme,
    g: () => { state.ground = !state.ground; touch(); }, h: () => { $("about").open = !$("about").open; },
  };
  addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const act = keys[e.key.length === 1 ? e.key.toLowerCase() : e.key];
    // A focused button or list keeps its own keys; everything else is the player's.
    if (!act || (e.key === " " && e.target.closest("button, summary")) || (e.key.startsWith("Arrow") && e.target.matches("select"))) return;
    e.preventDefault(); act();
  });
  addEventListener("resize", touch);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (e) => { root.dataset.theme = e.matches ? "dark" : "light"; touch(); });
  requestAnimationFrame((now) => { last = now; tick(now); });
})();
