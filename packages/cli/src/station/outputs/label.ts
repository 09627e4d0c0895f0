import type { OutputFile, StationDevice } from './output.ts';

const MODULE = 4;
const QUIET = 4;
const LINE = 22;
const MIN_WIDTH = 360;

/**
 * What the code on a label says: the serial number and the root, and either the password that opens the claim once or
 * the certificate the device was given.
 */
export function labelText(device: StationDevice): string {
  const { serial, password, certificate, rootFingerprint, enrollUrl } = device;
  const parts = new URLSearchParams({
    serial,
    ...(password === undefined ? {} : { password }),
    ...(enrollUrl === undefined || password === undefined ? {} : { url: enrollUrl }),
    ...(certificate === undefined ? {} : { certificate: certificate.fingerprint }),
    root: rootFingerprint,
  });
  return `holdfast:1?${parts.toString()}`;
}

/** A label to print: the code, and what a person types when no camera is at hand. */
export async function labelFiles(device: StationDevice): Promise<readonly OutputFile[]> {
  const { encode } = await import('uqr');
  const text = labelText(device);
  const { data, size } = encode(text, { ecc: 'M', border: 0 });
  const secret = device.password !== undefined;
  return [
    { name: 'label.svg', content: drawing(data, size, wordsOf(device)), secret },
    { name: 'label.txt', content: `${text}\n`, secret },
  ];
}

function wordsOf({ product, serial, password, certificate }: StationDevice): readonly string[] {
  return [
    product,
    serial,
    ...(password === undefined ? [] : [password]),
    ...(certificate === undefined ? [] : [`certificate ${certificate.fingerprint.slice(0, 16)}`]),
  ];
}

function drawing(data: readonly (readonly boolean[])[], size: number, words: readonly string[]): string {
  const side = (size + 2 * QUIET) * MODULE;
  const width = Math.max(side, MIN_WIDTH);
  const height = side + words.length * LINE + LINE / 2;
  const left = (width - size * MODULE) / 2;
  const path = data
    .flatMap((row, y) =>
      row.flatMap((dark, x) =>
        dark ? [`M${left + x * MODULE} ${(y + QUIET) * MODULE}h${MODULE}v${MODULE}h-${MODULE}z`] : [],
      ),
    )
    .join('');
  const lines = words.map(
    (word, at) =>
      `<text x="${width / 2}" y="${side + (at + 0.6) * LINE}" text-anchor="middle" font-family="monospace" font-size="15">${escaped(word)}</text>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<path d="${path}" fill="#000" shape-rendering="crispEdges"/>`,
    ...lines,
    '</svg>',
    '',
  ].join('\n');
}

function escaped(text: string): string {
  return text.replace(/[<>&]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
