import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { HoldfastWorld } from '../../world/holdfast-world.ts';
import { succeed } from '../../world/run-tool.ts';

/** A pre-provisioning hook of somebody's, behind a certificate that openssl made. */
export interface TemplateHook {
  readonly url: string;
  readonly caPem: string;
  /** Parameters it was asked about. */
  readonly asked: Record<string, string>[];
  readonly close: () => void;
}

/** Allows serial numbers but those that begin with `banned`, and says where a device stands. */
export async function openHook(world: HoldfastWorld): Promise<TemplateHook> {
  const folder = world.scratch('hook');
  const [key, certificate] = [path.join(folder, 'hook.key'), path.join(folder, 'hook.crt')];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  await succeed('openssl', ['req', '-x509', ...kind, '-keyout', key, '-out', certificate, ...names]);
  const asked: Record<string, string>[] = [];
  const caPem = readFileSync(certificate, 'utf8');
  const server: Server = createServer({ key: readFileSync(key), cert: caPem }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { parameters } = JSON.parse(Buffer.concat(chunks).toString()) as { parameters: Record<string, string> };
      asked.push(parameters);
      const allowProvisioning = parameters['SerialNumber']?.startsWith('banned') === false;
      response.end(JSON.stringify({ allowProvisioning, parameterOverrides: { Place: 'roof' } }));
    });
  }).listen(0, 'localhost');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `https://localhost:${port}/`, caPem, asked, close: () => void server.close() };
}
