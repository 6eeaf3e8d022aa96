// A 2D panel: the picture's frame and the keypoints in it, in the picture's own pixels.
{
  function line(brush, at, a, b, width, paint) {
    brush.strokeStyle = paint; brush.lineWidth = width;
    brush.beginPath(); brush.moveTo(at[a * 4], at[a * 4 + 1]); brush.lineTo(at[b * 4], at[b * 4 + 1]); brush.stroke();
  }

  K.draw2d = (panel, width, height) => {
    // As large as the people allow: the whole picture, or where they are over the clip if that is much less.
    const { brush } = panel, [left, top, right, bottom] = panel.frame;
    const fit = ([l, t, r, b]) => Math.min((width - 28) / (r - l), (height - 60) / (b - t));
    const box = fit(panel.extent) > 1.35 * fit(panel.frame) ? panel.extent : panel.frame, [west, north, east, south] = box;
    const scale = fit(box);
    const ox = width / 2 - scale * (west + east) / 2, oy = (height + 24) / 2 - scale * (north + south) / 2;
    brush.fillStyle = K.theme.dark ? "rgba(255,255,255,0.025)" : "rgba(30,50,90,0.035)";
    brush.strokeStyle = K.theme.colours.line; brush.lineWidth = 1;
    brush.beginPath(); brush.roundRect(ox + left * scale, oy + top * scale, (right - left) * scale, (bottom - top) * scale, 6); brush.fill(); brush.stroke();
    brush.lineCap = "round";
    const halo = K.theme.colours.card, thick = Math.min(Math.max(2.2, panel.thickness * scale), 9);
    panel.screen ??= Array.from({ length: panel.people }, () => new Float64Array(panel.count * 4));
    for (let person = 0; person < panel.people; person++) {
      const p = K.pose(panel, person, K.state.time), at = panel.screen[person];
      for (let j = 0; j < panel.count; j++) { at[j * 4] = ox + p[j * 4] * scale; at[j * 4 + 1] = oy + p[j * 4 + 1] * scale; at[j * 4 + 2] = p[j * 4 + 3] > 0 ? 1 : -1; }
      panel.bones.forEach(([a, b], i) => {
        const trust = Math.min(p[a * 4 + 3], p[b * 4 + 3]);
        if (!(trust > 0)) return;
        brush.globalAlpha = trust < 0.3 ? 0.4 : 1;
        line(brush, at, a, b, thick + 2.5, halo);
        if (trust < 0.3) brush.setLineDash([thick, thick * 1.8]);
        line(brush, at, a, b, thick, K.css(K.colourOf(panel.sides[i], person)));
        brush.setLineDash([]);
      });
      for (let j = 0; j < panel.count; j++) {
        if (!(p[j * 4 + 3] > 0)) continue;
        brush.globalAlpha = p[j * 4 + 3] < 0.3 ? 0.4 : 1;
        brush.fillStyle = K.css(K.colourOf(panel.jointSides[j], person));
        brush.beginPath(); brush.arc(at[j * 4], at[j * 4 + 1], thick * 0.78, 0, 7); brush.fill();
        brush.fillStyle = halo;
        brush.beginPath(); brush.arc(at[j * 4], at[j * 4 + 1], thick * 0.34, 0, 7); brush.fill();
      }
      brush.globalAlpha = 1;
    }
    panel.hits = [{ track: panel, look: {} }];
    panel.ghostShown = 0;
  };
}
