"use strict";
// One name for all parts of the page; each part is a block of its own.
const K = { motions: [], pointed: null, calm: matchMedia("(prefers-reduced-motion: reduce)").matches };
K.state = { time: 0, duration: 0, observed: 0, begin: 0, playing: false, speed: 1, follow: false, ground: true, trail: true, ghosts: true };
