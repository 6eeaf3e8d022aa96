// Several files dropped at once are one recording (OpenPose frames, an AMC with its ASF): they travel as one stored .zip.
{
  const table = Uint32Array.from({ length: 256 }, (_, n) => { for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1; return n; });
  const crc = (data) => { let c = ~0; for (let i = 0; i < data.length; i++) c = table[(c ^ data[i]) & 255] ^ (c >>> 8); return ~c >>> 0; };

  K.pack = async (files) => {
    const parts = [], index = [], names = new TextEncoder();
    let at = 0;
    for (const file of files) {
      const data = new Uint8Array(await file.arrayBuffer()), name = names.encode(file.name), sum = crc(data);
      const record = (head, where) => {
        const view = new DataView(new ArrayBuffer(where === null ? 30 : 46));
        view.setUint32(0, head, true);
        let p = 4;
        if (where !== null) { view.setUint16(p, 20, true); p += 2; }
        view.setUint16(p, 20, true); view.setUint16(p + 2, 0x800, true);  // names are UTF-8
        view.setUint16(p + 8, 0x21, true);  // the first day there is
        view.setUint32(p + 10, sum, true); view.setUint32(p + 14, data.length, true); view.setUint32(p + 18, data.length, true);
        view.setUint16(p + 22, name.length, true);
        if (where !== null) view.setUint32(42, where, true);
        return new Uint8Array(view.buffer);
      };
      parts.push(record(0x04034b50, null), name, data);
      index.push(record(0x02014b50, at), name);
      at += 30 + name.length + data.length;
    }
    const size = index.reduce((n, part) => n + part.length, 0), end = new DataView(new ArrayBuffer(22));
    end.setUint32(0, 0x06054b50, true); end.setUint16(8, files.length, true); end.setUint16(10, files.length, true);
    end.setUint32(12, size, true); end.setUint32(16, at, true);
    return new Blob([...parts, ...index, end.buffer]);
  };

  /** All files of a drop, those in folders too. */
  K.dropped = async (transfer) => {
    const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean), found = [];
    if (!entries.length) return [...transfer.files];
    const walk = async (entry) => {
      if (entry.name.startsWith(".")) return;
      if (entry.isFile) { found.push(await new Promise((done, fail) => entry.file(done, fail))); return; }
      const reader = entry.createReader();
      for (;;) {
        const some = await new Promise((done, fail) => reader.readEntries(done, fail));
        if (!some.length) return;
        for (const child of some) await walk(child);
      }
    };
    const label = entries.length === 1 && entries[0].isDirectory ? entries[0].name : null;
    for (const entry of entries) await walk(entry);
    found.label = label;
    return found;
  };
}
