import type { Socket } from 'node:net';
import type { Clock } from '@holdfast/kernel';

/** TLS record header: type, version, length (RFC 8446 5.1). */
const HEADER_BYTES = 5;
const HANDSHAKE_RECORD = 22;
/** RFC 8446 5.1; a ClientHello with a hybrid key share has under 2 KiB. */
const MAX_RECORD_BYTES = 16_384;

/**
 * Waits until the first TLS record of a connection is complete, and leaves it unread.
 *
 * Slow and silent peers then cost a socket, and no TLS state. Calls back once with true; false means that the
 * deadline passed, the peer went away, or the bytes are no TLS.
 */
export function awaitClientHello(
  socket: Socket,
  limits: { readonly clock: Clock; readonly deadlineMs: number },
  done: (complete: boolean) => void,
): void {
  const chunks: Buffer[] = [];
  let length = 0;
  const finish = (complete: boolean) => {
    deadline.cancel();
    socket.off('readable', read);
    socket.off('end', fail);
    socket.off('close', fail);
    if (complete) socket.unshift(Buffer.concat(chunks, length));
    done(complete);
  };
  const fail = () => finish(false);
  const read = () => {
    for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null) {
      chunks.push(chunk);
      length += chunk.length;
    }
    const need = recordLength(chunks, length);
    if (need === undefined) fail();
    else if (length >= need) finish(true);
  };
  const deadline = limits.clock.after(limits.deadlineMs, fail);
  socket.on('readable', read);
  socket.on('end', fail);
  socket.on('close', fail);
}

/** Bytes of the first record, or of its header while that is incomplete; undefined when it cannot be a ClientHello. */
function recordLength(chunks: readonly Buffer[], length: number): number | undefined {
  const [first] = chunks;
  if (first === undefined || length === 0) return HEADER_BYTES;
  if (first[0] !== HANDSHAKE_RECORD) return undefined;
  if (length < HEADER_BYTES) return HEADER_BYTES;
  const body = Buffer.concat(chunks, length).readUInt16BE(3);
  return body > MAX_RECORD_BYTES ? undefined : HEADER_BYTES + body;
}
