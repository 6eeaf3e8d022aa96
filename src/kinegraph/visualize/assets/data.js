// Recordings as they travel in the page, and the pose at any moment.
{
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const NOT_THERE = -32768;

  /** Joints are 16-bit steps from an origin; NOT_THERE means what it says. */
  function unpack(track, like) {
    const view = new DataView(bytes(track.data).buffer);
    track.steps = new Int16Array(view.byteLength / 2);
    for (let i = 0; i < track.steps.length; i++) track.steps[i] = view.getInt16(2 * i, true);
    track.trust = track.confidence ? bytes(track.confidence) : null;
    track.data = track.confidence = null;
    // A forecast stands on the joints of its recording.
    for (const key of ["dims", "axes", "joints", "bones", "sides", "jointSides", "radii", "unit", "people"]) track[key] ??= like?.[key];
    track.count = track.joints.length;
    track.start ??= 0;
    track.end = track.start + (track.frames - 1) / track.fps;
    track.poses = Array.from({ length: track.people }, () => new Float64Array(track.count * 4));
    return track;
  }

  K.decode = (motion) => {
    if (motion.decoded) return motion;
    for (const panel of motion.panels) {
      unpack(panel);
      for (const ghost of panel.ghosts ?? (panel.ghosts = [])) unpack(ghost, panel);
    }
    motion.decoded = true;
    return motion;
  };
  K.unpack = unpack;

  /** Fill out[4 j ..] with x, y, (z,) trust; neighbouring frames are blended, so slow motion is smooth. */
  K.pose = (track, person, time, out = track.poses[person]) => {
    const at = Math.min(Math.max((time - track.start) * track.fps, 0), track.frames - 1);
    const low = Math.floor(at + 1e-6), high = Math.min(low + 1, track.frames - 1), mix = Math.max(0, at - low);
    const { dims, count, steps, people, origin, step } = track;
    for (let j = 0; j < count; j++) {
      const a = ((low * people + person) * count + j) * dims, b = ((high * people + person) * count + j) * dims;
      const there = steps[a] !== NOT_THERE, t = there && steps[b] !== NOT_THERE ? mix : 0;
      out[j * 4 + 3] = there ? (track.trust ? track.trust[a / dims] / 255 : 1) : 0;
      for (let d = 0; d < dims; d++) out[j * 4 + d] = origin[d] + step * (steps[a + d] * (1 - t) + steps[b + d] * t);
    }
    return out;
  };

  /** Where the middle of the people is above the floor at a time: [x, z], or null where nobody is. */
  K.middle = (track, time) => {
    let n = 0, x = 0, z = 0;
    for (let person = 0; person < track.people; person++) {
      const p = K.pose(track, person, time, (track.aside ??= new Float64Array(track.count * 4)));  // what is shown stays
      for (let j = 0; j < track.count; j++) if (p[j * 4 + 3] > 0) { x += p[j * 4]; z += p[j * 4 + 2]; n++; }
    }
    return n ? [x / n, z / n] : null;
  };
}
