import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Fleet } from '../harness/fleet.ts';
import { versionOf } from '../harness/machine.ts';
import { freePorts, startProcess, type Subject, untilListening } from '../harness/processes.ts';

export function nginxVersion(): string | undefined {
  return versionOf('sh', ['-c', 'command -v nginx >/dev/null && nginx -v 2>&1']) || undefined;
}

/** One worker that serves `folder` over mutual TLS with the fleet's certificates. */
export async function startNginx(fleet: Fleet, folder: string): Promise<Subject & { readonly port: number }> {
  const [port = 0] = await freePorts(1);
  const place = path.join(path.dirname(fleet.ca), 'nginx');
  mkdirSync(place, { recursive: true });
  const config = path.join(place, 'nginx.conf');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${place}/${name};`)
    .join(' ');
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  writeFileSync(
    config,
    `${user} worker_processes 1; daemon off; pid ${place}/pid; error_log ${place}/error.log;
events { worker_connections 1024; }
http { access_log off; sendfile on; ${temporary}
  server { listen 127.0.0.1:${port} ssl; root ${folder};
    ssl_certificate ${fleet.serverChain}; ssl_certificate_key ${fleet.serverKey};
    ssl_client_certificate ${fleet.ca}; ssl_verify_client on; ssl_verify_depth 3; ssl_protocols TLSv1.3; } }
`,
  );
  const subject = startProcess('nginx', ['-p', place, '-c', config, '-e', path.join(place, 'error.log')]);
  await untilListening(port);
  return { ...subject, port };
}
