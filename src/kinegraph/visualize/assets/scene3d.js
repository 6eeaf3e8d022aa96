// A 3D panel: floor, shadows, trail, bodies and ghosts, drawn back to front.
{
  K.camera = { azimuth: 0, elevation: 0.21, zoom: 1, panX: 0, panY: 0 };

  /** From display space to the picture: fills out with x, y, depth, pixels per unit. */
  function projector(panel, width, height) {
    const c = K.camera, ca = Math.cos(c.azimuth), sa = Math.sin(c.azimuth), ce = Math.cos(c.elevation), se = Math.sin(c.elevation);
    const distance = panel.radius * 3.1 / c.zoom, focal = Math.min(width * 1.25, height) * 1.42;
    const [tx, ty, tz] = panel.target, shiftX = c.panX * panel.radius, shiftY = c.panY * panel.radius;
    const put = (x, y, z, out = [0, 0, 0, 0], at = 0) => {
      const dx = x - tx, dy = y - ty, dz = z - tz;
      const right = ca * dx - sa * dz, back = sa * dx + ca * dz, depth = distance - (se * dy + ce * back);
      const scale = focal / Math.max(depth, 1e-6);
      out[at] = width / 2 + (right + shiftX) * scale;
      out[at + 1] = height / 2 - (ce * dy - se * back + shiftY) * scale;
      out[at + 2] = depth; out[at + 3] = scale;
      return out;
    };
    put.turn = (x, y, z) => { const back = sa * x + ca * z; return [ca * x - sa * z, ce * y - se * back, se * y + ce * back]; };
    put.near = panel.radius * 0.06;
    return put;
  }

  /** A pool of light, painted once a theme and then only stretched, which is cheaper than a gradient a frame. */
  let lamp = null;
  function pool() {
    if (lamp?.theme === K.theme.name) return lamp.canvas;
    const canvas = document.createElement("canvas"), size = canvas.width = canvas.height = 128, brush = canvas.getContext("2d");
    const [tint, strength] = K.theme.colours.floor.split("/"), glow = brush.createRadialGradient(64, 64, 0, 64, 64, 64);
    glow.addColorStop(0, `rgba(${tint},${strength})`); glow.addColorStop(1, `rgba(${tint},0)`);
    brush.fillStyle = glow; brush.fillRect(0, 0, size, size);
    lamp = { theme: K.theme.name, canvas };
    return canvas;
  }

  function floor(panel, put) {
    const { brush, ground, cell } = panel;
    const reach = Math.ceil(Math.max(panel.radius * 2.4, cell * 4) / cell), levels = 7;
    const cx = Math.round(panel.target[0] / cell) * cell, cz = Math.round(panel.target[2] / cell) * cell;
    const spot = put(panel.target[0], ground, panel.target[2]);
    if (spot[2] > put.near && K.camera.elevation > 0.02) {
      const r = reach * cell * spot[3] * 0.95;
      const squash = Math.max(Math.sin(K.camera.elevation), 0.02);
      brush.drawImage(pool(), spot[0] - r, spot[1] - r * squash, 2 * r, 2 * r * squash);
    }
    // Lines fade outward: pieces of about the same strength share one stroke.
    const paths = Array.from({ length: levels }, () => new Path2D());
    const a = [0, 0, 0, 0], b = [0, 0, 0, 0];
    for (let i = -reach; i <= reach; i++) for (let k = -reach; k < reach; k++) {
      const fade = 1 - Math.hypot(i, k + 0.5) / reach;
      if (fade <= 0) continue;
      const path = paths[Math.min(levels - 1, Math.floor(fade * levels))];
      for (let turn = 0; turn < 2; turn++) {
        if (turn) { put(cx + i * cell, ground, cz + k * cell, a); put(cx + i * cell, ground, cz + (k + 1) * cell, b); }
        else { put(cx + k * cell, ground, cz + i * cell, a); put(cx + (k + 1) * cell, ground, cz + i * cell, b); }
        if (a[2] < put.near || b[2] < put.near) continue;
        path.moveTo(a[0], a[1]); path.lineTo(b[0], b[1]);
      }
    }
    brush.lineWidth = 1;
    paths.forEach((path, level) => { brush.strokeStyle = `rgba(${K.theme.colours.grid},${(0.62 * (level + 0.5) / levels).toFixed(3)})`; brush.stroke(path); });
  }

  /** Soft shadows: limbs dropped to the floor on a small canvas; drawn large, its pixels blur. */
  function shadows(panel, put, shown, width, height) {
    const small = panel.shade ??= document.createElement("canvas"), soft = panel.soft ??= document.createElement("canvas"), share = 0.2;
    soft.width = small.width = Math.max(1, Math.ceil(width * share)); soft.height = small.height = Math.max(1, Math.ceil(height * share));
    const brush = small.getContext("2d"), a = [0, 0, 0, 0], b = [0, 0, 0, 0];
    brush.lineCap = "round"; brush.strokeStyle = "#000";
    for (const { track, ghost } of shown) for (const p of track.poses) track.bones.forEach(([from, to], i) => {
      if (!(p[from * 4 + 3] > 0 && p[to * 4 + 3] > 0)) return;
      // The lamp hangs to the left and in front: what is higher falls further.
      const h = p[from * 4 + 1] - panel.ground, k = p[to * 4 + 1] - panel.ground;
      put(p[from * 4] + 0.16 * h, panel.ground, p[from * 4 + 2] - 0.10 * h, a); put(p[to * 4] + 0.16 * k, panel.ground, p[to * 4 + 2] - 0.10 * k, b);
      if (a[2] < put.near || b[2] < put.near) return;
      brush.globalAlpha = ghost ? 0.4 : 1;
      brush.lineWidth = Math.max(0.8, (track.radii[i][0] + track.radii[i][1]) * a[3] * share * 1.1);
      brush.beginPath(); brush.moveTo(a[0] * share, a[1] * share); brush.lineTo(b[0] * share, b[1] * share); brush.stroke();
    });
    panel.brush.globalAlpha = K.theme.dark ? 0.5 : 0.17;
    panel.brush.imageSmoothingEnabled = true;
    const blur = soft.getContext("2d");
    blur.filter = "blur(1.7px)"; blur.drawImage(small, 0, 0);
    panel.brush.drawImage(soft, 0, 0, small.width / share, small.height / share);
    panel.brush.globalAlpha = 1;
  }

  /** The way over the floor: what is behind in colour, what is ahead in grey. */
  function trail(panel, put) {
    panel.path ??= Array.from({ length: 61 }, (_, i) => { const t = panel.end * i / 60; return [t, K.middle(panel, t)]; });
    const { brush } = panel, q = [0, 0, 0, 0];
    for (const past of [false, true]) {
      brush.beginPath();
      let pen = false;
      for (const [t, at] of panel.path) {
        if (!at || (past && t > K.state.time)) { pen = false; continue; }
        put(at[0], panel.ground, at[1], q);
        if (q[2] < put.near) { pen = false; continue; }
        if (pen) brush.lineTo(q[0], q[1]); else brush.moveTo(q[0], q[1]);
        pen = true;
      }
      brush.strokeStyle = past ? K.theme.colours.accent : `rgba(${K.theme.colours.grid},0.7)`;
      brush.lineWidth = past ? 2 : 1.25; brush.globalAlpha = past ? 0.65 : 1;
      brush.stroke();
    }
    brush.globalAlpha = 1;
  }

  function body(marks, track, put, look) {
    track.poses.forEach((p, person) => {
      const at = (track.screen ??= Array.from({ length: track.people }, () => new Float64Array(track.count * 4)))[person];
      for (let j = 0; j < track.count; j++) {
        if (p[j * 4 + 3] > 0) put(p[j * 4], p[j * 4 + 1], p[j * 4 + 2], at, j * 4); else at[j * 4 + 2] = -1;
      }
      track.bones.forEach(([a, b], i) => {
        if (at[a * 4 + 2] < put.near || at[b * 4 + 2] < put.near) return;
        marks.push({ depth: (at[a * 4 + 2] + at[b * 4 + 2]) / 2, track, person, bone: i, look, trust: Math.min(p[a * 4 + 3], p[b * 4 + 3]) });
      });
    });
  }

  function paint(brush, mark, put) {
    const { track, person, look } = mark, [a, b] = track.bones[mark.bone], p = track.poses[person], at = track.screen[person];
    const axis = put.turn(p[b * 4] - p[a * 4], p[b * 4 + 1] - p[a * 4 + 1], p[b * 4 + 2] - p[a * 4 + 2]), n = Math.hypot(...axis) || 1;
    const [near, far] = track.radii[mark.bone];
    const colour = look.tint ?? K.colourOf(track.sides[mark.bone], person);
    K.limb(brush, at[a * 4], at[a * 4 + 1], at[b * 4], at[b * 4 + 1], Math.max(0.9, near * at[a * 4 + 3]), Math.max(0.9, far * at[b * 4 + 3]),
      axis.map((v) => v / n), colour, mark.trust < 0.3 ? 0.4 : 1);
  }

  K.draw3d = (panel, width, height) => {
    const { brush } = panel, { time } = K.state;
    // What is on stage: the recording (pale once it has ended and its forecast goes on), the forecasts of this moment, others.
    const shown = [];
    const ghosts = panel.ghosts.filter((g) => K.state.ghosts && time >= g.start - 1e-6 && time <= g.end + 1e-6);
    const over = ghosts.length > 0 && time > panel.end + 1e-6;
    shown.push({ track: panel, look: { alpha: over ? 0.22 : 1 }, ghost: over });
    for (const ghost of ghosts) shown.push({ track: ghost, look: { tint: K.sideColours.forecast, alpha: over ? 0.95 : 0.6 }, ghost: true });
    for (const other of panel.others ?? []) shown.push({ track: other, look: { tint: K.sideColours.other, alpha: 1 } });
    for (const { track } of shown) for (let person = 0; person < track.people; person++) K.pose(track, person, time);
    for (const other of panel.others ?? []) shift(other);
    const lead = over ? ghosts[0] : panel, middle = K.state.follow ? K.middle(lead, time) : null;
    panel.target = middle ? [middle[0], panel.centre[1], middle[1]] : panel.centre.slice();
    const put = panel.put = projector(panel, width, height);
    if (K.state.ground) {
      floor(panel, put);
      if (K.state.trail && panel.frames > 1) trail(panel, put);
      shadows(panel, put, shown, width, height);
    }
    // What is solid is one scene, sorted limb by limb; what is pale is painted whole on a sheet of its own, so that its limbs
    // do not show through each other, and laid in by its distance.
    const scenes = [{ marks: [], alpha: 1 }];
    for (const { track, look } of shown) {
      const scene = look.alpha < 1 ? { marks: [], alpha: look.alpha } : scenes[0];
      if (scene !== scenes[0]) scenes.push(scene);
      body(scene.marks, track, put, look);
    }
    for (const scene of scenes) { scene.marks.sort((m, n) => n.depth - m.depth); scene.depth = scene.marks.reduce((n, m) => n + m.depth, 0) / (scene.marks.length || 1); }
    for (const scene of scenes.sort((m, n) => n.depth - m.depth)) {
      if (scene.alpha === 1) { for (const mark of scene.marks) paint(brush, mark, put); continue; }
      const sheet = panel.sheet ??= document.createElement("canvas"), over = sheet.getContext("2d");
      K.fitCanvas(sheet, panel.canvas.width, panel.canvas.height, 1);
      over.setTransform(1, 0, 0, 1, 0, 0); over.clearRect(0, 0, sheet.width, sheet.height); over.setTransform(brush.getTransform());
      for (const mark of scene.marks) paint(over, mark, put);
      brush.globalAlpha = scene.alpha; brush.drawImage(sheet, 0, 0, width, height); brush.globalAlpha = 1;
    }
    if (panel.people > 1) numbers(panel);
    panel.hits = shown;
    panel.ghostShown = ghosts.length;
  };

  function shift(track) {
    if (track.offset) for (const p of track.poses) for (let j = 0; j < track.count; j++) { p[j * 4] += track.offset[0]; p[j * 4 + 1] += track.offset[1]; p[j * 4 + 2] += track.offset[2]; }
  }

  function numbers(panel) {
    const { brush } = panel;
    brush.font = "600 12px system-ui, sans-serif"; brush.textAlign = "center"; brush.fillStyle = K.theme.colours.soft;
    panel.screen.forEach((at, person) => {
      let top = -1;
      for (let j = 0; j < panel.count; j++) if (at[j * 4 + 2] > 0 && (top < 0 || at[j * 4 + 1] < at[top * 4 + 1])) top = j;
      if (top >= 0) brush.fillText(String(person + 1), at[top * 4], at[top * 4 + 1] - 16);
    });
  }
}
