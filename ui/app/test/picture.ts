// What is on a picture: PNG as Chromium writes it, 8 bits a channel, not interlaced.
import { inflateSync } from "node:zlib";

export interface Box { x: number; y: number; width: number; height: number }

/** Rows of pixels, each with its bytes. */
function pixels(png: Buffer): { width: number; height: number; size: number; rows: Buffer[] } {
  const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)];
  const size = png[25] === 6 ? 4 : 3;
  if (png[24] !== 8 || ![2, 6].includes(png[25]!) || png[28]) throw new Error("not a PNG of the kind that Chromium writes");
  const parts: Buffer[] = [];
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) if (png.toString("latin1", at + 4, at + 8) === "IDAT") parts.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
  const data = inflateSync(Buffer.concat(parts));
  const rows: Buffer[] = [], line = width * size;
  let above = Buffer.alloc(line);
  for (let y = 0; y < height; y++) {
    const filter = data[y * (line + 1)]!, row = data.subarray(y * (line + 1) + 1, (y + 1) * (line + 1));
    for (let i = 0; filter && i < line; i++) {
      const left = i < size ? 0 : row[i - size]!, up = above[i]!, corner = i < size ? 0 : above[i - size]!;
      row[i]! += [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter]!;
    }
    rows.push((above = row));
  }
  return { width, height, size, rows };
}

function paeth(a: number, b: number, c: number): number {
  const [x, y, z] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
  return x <= y && x <= z ? a : y <= z ? b : c;
}

/** How many colours each part of a picture has. */
export function colours(png: Buffer, boxes: Box[]): number[] {
  const { width, height, size, rows } = pixels(png);
  return boxes.map((b) => {
    const seen = new Set<number>();
    for (let y = Math.max(0, Math.round(b.y)); y < Math.min(height, Math.round(b.y + b.height)); y++)
      for (let x = Math.max(0, Math.round(b.x)); x < Math.min(width, Math.round(b.x + b.width)); x++) seen.add(rows[y]!.readUIntBE(x * size, 3));
    return seen.size;
  });
}
