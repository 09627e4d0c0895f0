import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Fleet } from '../harness/fleet.ts';
import { versionOf } from '../harness/machine.ts';
import { freePorts, startProcess, type Subject, untilListening } from '../harness/processes.ts';

/** `mosquitto -h` names its version and exits with 3. */
export function mosquittoVersion(): string | undefined {
  return versionOf('sh', ['-c', 'command -v mosquitto >/dev/null && (mosquitto -h || true) | head -1']) || undefined;
}

/** The same devices, certificates and topic rules as the fleet has; without persistence, as Debian ships it but for that. */
export async function startMosquitto(fleet: Fleet): Promise<Subject & { readonly port: number }> {
  const [port = 0] = await freePorts(1);
  const folder = path.dirname(fleet.ca);
  const acl = path.join(folder, 'mosquitto.acl');
  const config = path.join(folder, 'mosquitto.conf');
  writeFileSync(acl, ['pattern write bench/%u/up', 'pattern write bench/all', 'pattern read bench/#', ''].join('\n'), {
    mode: 0o600,
  });
  const lines = [
    ...(process.getuid?.() === 0 ? ['user root'] : []),
    'persistence false',
    'max_queued_messages 0',
    'max_inflight_messages 0',
    'log_type error',
    `listener ${port} 127.0.0.1`,
    `cafile ${fleet.ca}`,
    `certfile ${fleet.serverChain}`,
    `keyfile ${fleet.serverKey}`,
    'tls_version tlsv1.3',
    'require_certificate true',
    'use_identity_as_username true',
    'allow_anonymous false',
    `acl_file ${acl}`,
    '',
  ];
  writeFileSync(config, lines.join('\n'));
  const subject = startProcess('mosquitto', ['-c', config]);
  await untilListening(port);
  return { ...subject, port };
}
