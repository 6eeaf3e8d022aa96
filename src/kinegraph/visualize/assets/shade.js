// Paint: theme colours, and limbs that look round without any library: each is a tapered capsule whose cross-section is
// lit as a cylinder's is, so one linear gradient a limb is the exact Lambert shade of its visible half.
{
  const LIGHT = unit([-0.42, 0.58, 0.70]);
  const STOPS = [-1, -0.75, -0.4, 0, 0.4, 0.75, 1];

  function unit(v) { const n = Math.hypot(...v); return v.map((c) => c / n); }
  K.rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  K.css = (c, alpha = 1) => `rgba(${c[0] | 0},${c[1] | 0},${c[2] | 0},${alpha})`;
  K.mix = (a, b, t) => a.map((v, i) => v * (1 - t) + b[i] * t);

  // Read once a theme: asking the style of the page for every limb would cost more than drawing it.
  K.theme = { name: "", colours: {} };
  K.readTheme = () => {
    const style = getComputedStyle(document.documentElement);
    for (const name of ["front", "soft", "line", "card", "grid", "floor", "accent"]) K.theme.colours[name] = style.getPropertyValue(`--${name}`).trim();
    K.theme.name = document.documentElement.dataset.theme;
    K.theme.dark = K.theme.name === "dark";
  };

  function shade(colour, nx, ny, nz) {
    const lit = Math.max(0, nx * LIGHT[0] + ny * LIGHT[1] + nz * LIGHT[2]);
    const sky = 0.5 + 0.5 * ny, rim = (1 - nz) ** 3;
    const level = 0.66 + 0.14 * sky + 0.36 * lit, gleam = 0.30 * lit ** 14;
    const back = K.theme.dark ? 0.16 * rim : 0;
    return colour.map((c) => Math.min(255, c * level * (1 - 0.18 * rim) + 255 * (gleam + back)));
  }

  /**
   * A limb from a to b: [x, y, depth, scale] each, radii in px, axis (3) in view space (x right, y up, z to the viewer).
   */
  K.limb = (brush, ax, ay, bx, by, ra, rb, axis, colour, alpha) => {
    const [dx, dy, dz] = axis, flat = Math.hypot(dx, dy);
    // across: perpendicular to the limb in the picture; face: the way its nearest line looks
    const px = flat > 1e-3 ? -dy / flat : -1, py = flat > 1e-3 ? dx / flat : 0;
    const fx = flat > 1e-3 ? -dz * dx / flat : 0, fy = flat > 1e-3 ? -dz * dy / flat : 0, fz = flat > 1e-3 ? flat : 1;
    const r = Math.max(ra, rb), mx = (ax + bx) / 2, my = (ay + by) / 2;
    const fill = brush.createLinearGradient(mx - px * r, my + py * r, mx + px * r, my - py * r);
    for (const u of STOPS) {
      const w = Math.sqrt(Math.max(0, 1 - u * u));
      fill.addColorStop((u + 1) / 2, K.css(shade(colour, u * px + w * fx, u * py + w * fy, w * fz)));
    }
    brush.globalAlpha = alpha;
    outline(brush, ax, ay, bx, by, ra, rb);
    brush.fillStyle = fill;
    brush.fill();
    brush.globalAlpha = alpha * (K.theme.dark ? 0.5 : 0.32);
    brush.strokeStyle = K.css(K.mix(colour, [8, 12, 22], 0.72));
    brush.lineWidth = 1;
    brush.stroke();
    brush.globalAlpha = 1;
  };

  /** The path round two circles and their outer tangents. */
  function outline(brush, ax, ay, bx, by, ra, rb) {
    const length = Math.hypot(bx - ax, by - ay), along = Math.atan2(by - ay, bx - ax);
    brush.beginPath();
    if (length <= Math.abs(ra - rb) + 1e-3) { const big = ra > rb; brush.arc(big ? ax : bx, big ? ay : by, Math.max(ra, rb), 0, 2 * Math.PI); return; }
    const lean = Math.acos((ra - rb) / length);
    brush.arc(ax, ay, ra, along + lean, along - lean + 2 * Math.PI);
    brush.arc(bx, by, rb, along - lean, along + lean);
    brush.closePath();
  }

  K.colourOf = (side, person) => (K.sideColours[side] ?? K.sideColours.people[person % K.sideColours.people.length]);
  K.setColours = (colours) => {
    K.sideColours = { l: K.rgb(colours.l), r: K.rgb(colours.r), people: colours.people.map(K.rgb), forecast: K.rgb(colours.forecast), other: K.rgb(colours.other) };
    K.bandColours = colours.bands.map(K.rgb);
  };
}
