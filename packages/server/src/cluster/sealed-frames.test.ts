import { describe, expect, it } from 'vitest';
import { SealedFrames } from './sealed-frames.ts';

const secret = new Uint8Array(32).fill(1);
const life = new Uint8Array(16).fill(2);
const content = new TextEncoder().encode('what one says');
const refused = expect.objectContaining({ code: 'crypto.open_failed' });

describe('a frame on the bus', () => {
  it('is read by whoever has the root key, and says who sent it and how many it sent', () => {
    const [a, b] = [new SealedFrames(secret, life), new SealedFrames(secret, new Uint8Array(16).fill(3))];
    a.seal('s', content);
    expect(b.open('s', a.seal('s', content))).toEqual({ sender: '02'.repeat(16), sequence: 2, content });
    expect(b.open('t', a.seal('t', content)).sequence).toBe(1);
  });

  it.each([
    ['of another cluster', () => new SealedFrames(new Uint8Array(32).fill(9), life).seal('s', content)],
    ['of another subject', () => new SealedFrames(secret, life).seal('t', content)],
    ['with its sequence changed', () => new SealedFrames(secret, life).seal('s', content).with(23, 9)],
    ['under another name', () => new SealedFrames(secret, life).seal('s', content).with(0, 9)],
    ['with its content changed', () => new SealedFrames(secret, life).seal('s', content).with(30, 9)],
    ['cut short', () => new SealedFrames(secret, life).seal('s', content).subarray(0, 30)],
    ['without content', () => new Uint8Array(3)],
  ])('%s is refused', (_name, frame) => {
    expect(() => new SealedFrames(secret, life).open('s', frame())).toThrow(refused);
  });
});
