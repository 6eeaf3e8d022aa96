// The timeline: bands of actions, the part that is forecast, a ruler, and the hand that points at now.
{
  const PAD = 14, ROW = 22, TOP = 8, RULER = 22, MOST = 6, MORE = 16;  // MOST people have a row; the list read aloud has all
  const host = document.getElementById("timeline"), canvas = document.getElementById("bands"), input = document.getElementById("scrub");
  const brush = canvas.getContext("2d");
  let rows = [], more = 0, hover = null;

  K.layTimeline = () => {
    rows = [];
    for (const motion of K.motions) {
      const people = [...new Set(motion.bands.map((band) => band.who))];
      for (const person of people) {
        const who = [K.motions.length > 1 ? motion.title : "", people.length > 1 ? person : ""].filter(Boolean).join(" · ");
        rows.push({ who, bands: motion.bands.filter((band) => band.who === person) });
      }
    }
    const list = document.getElementById("actions");
    list.replaceChildren(...rows.flatMap((row) => row.bands.map((band) => {
      const item = document.createElement("li");
      item.textContent = `${row.who ? row.who + ": " : ""}${said(band)}, ${told(band, 1)}`;
      return item;
    })));
    more = Math.max(0, rows.length - MOST);
    rows = rows.slice(0, MOST);
    host.style.height = `${TOP + rows.length * ROW + (more ? MORE : 0) + RULER}px`;
    host.hidden = K.state.duration === 0;
  };

  const said = (band) => `${band.label.replaceAll("_", " ")}, ${Math.round(band.score * 100)} %`;
  const told = (band, digits) => `${(K.state.begin + band.start).toFixed(digits)} to ${(K.state.begin + band.end).toFixed(digits)} s`;
  const across = (time, width) => PAD + (width - 2 * PAD) * (K.state.duration ? time / K.state.duration : 0);

  function step(span, width) {
    for (const unit of [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600]) if (unit / span * width >= 46) return unit;
    return 1200;
  }

  K.drawTimeline = () => {
    if (host.hidden) return;
    const width = host.clientWidth, height = host.clientHeight, ratio = Math.min(devicePixelRatio || 1, 3);
    K.fitCanvas(canvas, width, height, ratio);
    brush.setTransform(ratio, 0, 0, ratio, 0, 0);
    brush.clearRect(0, 0, width, height);
    const { colours } = K.theme, floor = height - RULER, { duration, time } = K.state;
    // What lies beyond the recording is forecast.
    const forecast = K.state.observed < duration - 1e-6 ? across(K.state.observed, width) : null;
    const tint = K.sideColours.forecast;
    if (forecast !== null) {
      brush.fillStyle = K.css(tint, K.theme.dark ? 0.2 : 0.13);
      brush.beginPath(); brush.roundRect(forecast, TOP - 3, width - PAD - forecast, floor - TOP + 3, 4); brush.fill();
      brush.save(); brush.clip();
      brush.strokeStyle = K.css(tint, 0.28); brush.lineWidth = 1; brush.beginPath();
      for (let x = forecast - height; x < width; x += 7) { brush.moveTo(x, floor); brush.lineTo(x + height, floor - height); }
      brush.stroke(); brush.restore();
      brush.font = "600 11px system-ui, sans-serif"; brush.textAlign = "left"; brush.textBaseline = "middle";
      brush.fillStyle = K.theme.dark ? K.css(K.mix(tint, [255, 255, 255], 0.45)) : K.css(K.mix(tint, [0, 0, 0], 0.25));
      if (width - PAD - forecast > 58 && rows.length) brush.fillText("forecast", forecast + 6, TOP + ROW / 2 - 1);
    }
    for (const ghost of K.ghosts()) if (ghost.start < K.state.observed - 1e-6) {
      const x = across(ghost.start, width);
      brush.fillStyle = K.css(tint, 0.85); brush.fillRect(x, floor - 3, across(Math.min(ghost.end, duration), width) - x, 3);
    }
    rows.forEach((row, r) => {
      const y = TOP + r * ROW;
      for (const band of row.bands) {
        const x = across(band.start, width), w = Math.max(2, across(band.end, width) - x - 1.5);
        const colour = K.bandColours[band.kind % K.bandColours.length];
        brush.fillStyle = K.css(hover === band ? K.mix(colour, [0, 0, 0], 0.18) : colour);
        brush.beginPath(); brush.roundRect(x, y, w, ROW - 5, 5); brush.fill();
        brush.save(); brush.beginPath(); brush.rect(x, y, w - 4, ROW); brush.clip();
        brush.font = "600 11px system-ui, sans-serif"; brush.textAlign = "left"; brush.textBaseline = "middle"; brush.fillStyle = "#fff";
        const name = band.label.replaceAll("_", " "), long = brush.measureText(name).width;
        if (w > 26) brush.fillText(name, x + 7, y + (ROW - 5) / 2 + 0.5);
        brush.font = "11px system-ui, sans-serif"; brush.fillStyle = "rgba(255,255,255,0.86)";
        if (w > long + 48) brush.fillText(`${Math.round(band.score * 100)} %`, x + 13 + long, y + (ROW - 5) / 2 + 0.5);
        brush.restore();
      }
    });
    if (more) {
      brush.fillStyle = colours.soft; brush.font = "11px system-ui, sans-serif"; brush.textAlign = "left"; brush.textBaseline = "middle";
      brush.fillText(`+${more} more`, PAD + 9, TOP + rows.length * ROW + 4);
    }
    const tick = step(duration, width - 2 * PAD);
    brush.strokeStyle = colours.line; brush.lineWidth = 1;
    brush.beginPath(); brush.moveTo(PAD, floor + 0.5); brush.lineTo(width - PAD, floor + 0.5); brush.stroke();
    brush.strokeStyle = colours.accent; brush.lineWidth = 2;
    brush.beginPath(); brush.moveTo(PAD, floor + 0.5); brush.lineTo(across(time, width), floor + 0.5); brush.stroke();
    brush.fillStyle = colours.soft; brush.font = "11px system-ui, sans-serif"; brush.textAlign = "center"; brush.textBaseline = "top";
    const { begin } = K.state, first = Math.ceil(begin / tick - 1e-9);  // the ruler is the recording's
    for (let i = first; i * tick <= begin + duration + 1e-9; i++) {
      const x = across(i * tick - begin, width), text = tick < 1 && i ? (i * tick).toFixed(tick < 0.1 ? 2 : 1) : String(i * tick);
      brush.fillRect(x - 0.5, floor, 1, 4);
      brush.fillText(i > first ? text : `${text} s`, Math.min(Math.max(x, 12), width - 14), floor + 7);
    }
    const x = across(time, width);
    brush.fillStyle = colours.front;
    brush.fillRect(x - 0.75, 2, 1.5, floor - 2);
    brush.beginPath(); brush.arc(x, floor, 6, 0, 7); brush.fill();
    brush.fillStyle = colours.accent; brush.beginPath(); brush.arc(x, floor, 3.5, 0, 7); brush.fill();
  };

  // ---- pointer: anywhere on the timeline seeks, dragging scrubs; the range input beneath serves keyboards and readers.
  const timeAt = (e) => { const box = host.getBoundingClientRect(); return (e.clientX - box.left - PAD) / Math.max(1, box.width - 2 * PAD) * K.state.duration; };
  let held = null;
  host.addEventListener("pointerdown", (e) => { if (e.button) return; held = e.pointerId; host.setPointerCapture(held); K.play(false); K.seek(timeAt(e)); input.focus({ preventScroll: true }); });
  host.addEventListener("pointermove", (e) => {
    if (held === e.pointerId) { K.seek(timeAt(e)); return; }
    const box = host.getBoundingClientRect(), row = rows[Math.floor((e.clientY - box.top - TOP) / ROW)], t = timeAt(e);
    const found = row?.bands.find((band) => t >= band.start && t <= band.end) ?? null;
    if (found) K.tip(`${row.who ? row.who + "\n" : ""}${said(found)}\n${told(found, 2)}`, e.clientX, box.top - 6); else if (hover) K.tip(null);
    if (found !== hover) { hover = found; K.touch(); }
  });
  for (const end of ["pointerup", "pointercancel"]) host.addEventListener(end, () => { held = null; });
  host.addEventListener("pointerleave", () => { if (hover) { hover = null; K.tip(null); K.touch(); } });
  input.addEventListener("input", () => { K.play(false); K.seek(K.state.duration * Number(input.value) / 1000); });
}
