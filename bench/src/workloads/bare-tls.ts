// node:tls alone, asking for client certificates: what a connection costs before anything is built on it.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:tls';

const { port, ca, cert, key } = JSON.parse(process.argv[2] ?? '{}') as Record<string, string>;
const options = {
  ca: readFileSync(ca ?? ''),
  cert: readFileSync(cert ?? ''),
  key: readFileSync(key ?? ''),
  requestCert: true,
  rejectUnauthorized: true,
  minVersion: 'TLSv1.3',
} as const;
createServer(options, (socket) => {
  socket.on('error', () => socket.destroy());
  // Every CONNECT is accepted.
  socket.on('data', () => socket.write(Uint8Array.of(0x20, 2, 0, 0)));
}).listen(Number(port), '127.0.0.1');
