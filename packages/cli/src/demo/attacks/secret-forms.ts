/**
 * Every form in which bytes may stand in a file: as they are, in hex, and in base64 at each of its three alignments.
 *
 * Base64 that begins or ends inside other bytes shares its outer characters with them; only the inner ones are looked for.
 */
export function formsOf(secret: Uint8Array): readonly Buffer[] {
  const bytes = Buffer.from(secret);
  const hex = bytes.toString('hex');
  const base64 = [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .replaceAll('=', '');
    const whole = before === 0 ? 0 : 4;
    return text.slice(whole, text.length - 2);
  });
  const texts = [hex, hex.toUpperCase(), ...base64, ...base64.map(toUrlForm)];
  return [bytes, ...new Set(texts)].map((form) => Buffer.from(form));
}

function toUrlForm(base64: string): string {
  return base64.replaceAll('+', '-').replaceAll('/', '_');
}
