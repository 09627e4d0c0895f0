// Downloads a file in ranges over mutual TLS: {"seconds", "octets"}.
import { readFileSync } from 'node:fs';
import { Agent, get } from 'node:https';

interface Parameters {
  readonly url: string;
  readonly ca: string;
  readonly identity: string;
  readonly size: number;
  readonly range: number;
  readonly times: number;
}

const { url, ca, identity, size, range, times } = JSON.parse(process.argv[2] ?? '{}') as Parameters;
const pem = readFileSync(identity);
const agent = new Agent({
  keepAlive: true,
  maxSockets: 1,
  ca: readFileSync(ca),
  cert: pem,
  key: pem,
  minVersion: 'TLSv1.3',
  servername: 'localhost',
});

function fetchRange(start: number): Promise<number> {
  const end = Math.min(start + range, size) - 1;
  return new Promise((resolve, reject) => {
    get(url, { agent, headers: { range: `bytes=${start}-${end}` } }, (response) => {
      let octets = 0;
      response.on('data', (chunk: Buffer) => (octets += chunk.length));
      response.on('end', () =>
        response.statusCode === 206 ? resolve(octets) : reject(new Error(`status ${response.statusCode}`)),
      );
      response.on('error', reject);
    }).on('error', reject);
  });
}

let octets = 0;
const started = performance.now();
for (let time = 0; time < times; time++)
  for (let start = 0; start < size; start += range) octets += await fetchRange(start);
console.log(JSON.stringify({ seconds: (performance.now() - started) / 1000, octets }));
process.exit(0);
