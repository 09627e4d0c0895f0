import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ConsoleLink, Status } from '@holdfast/api';
import {
  type Clock,
  formatRfc3339,
  type Log,
  type Random,
  silentLog,
  systemClock,
  systemRandom,
} from '@holdfast/kernel';
import { ServerIdentity } from '@holdfast/trust/identity';
import { DEFAULT_TENANT } from '@holdfast/trust/ports';
import { encodePem } from '@holdfast/wire/pem';
import { Closers } from './compose/closers.ts';
import { openFoundation } from './compose/foundation.ts';
import { openGateway } from './compose/gateway.ts';
import { credentialKeeper } from './compose/issuing-key.ts';
import { openManagement } from './compose/management.ts';
import { openRooms } from './compose/rooms.ts';
import { startWatches } from './compose/watches.ts';
import type { Config } from './config/index.ts';
import type { ReplacedEngines } from './engines/keys/open-key-engines.ts';
import { OCSP_PATH } from './protocols/ocsp/index.ts';

export interface ServerPorts {
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Log;
  readonly keyEngines?: ReplacedEngines;
}

/** A server that answers on all its ports. */
export interface RunningServer {
  readonly dataFolder: string;
  /** PEM of the root certificate, for browsers and devices to trust. */
  readonly rootCertificatePath: string;
  readonly status: () => Promise<Status>;
  /** Closes in the reverse order of opening; what was acknowledged is durable. */
  close(): Promise<void>;
  mintConsoleLink(): ConsoleLink;
}

const ROOT_FILE = 'root-ca.pem';

/**
 * Starts everything: foundation, rooms, gateway, management; each stands on the one before.
 *
 * @throws what keeps it from starting, with everything already open closed again: `store.in_use`, `store.exposed`,
 * `storage.root_key_missing`, `server.port_taken`, …
 */
export async function startServer(config: Config, ports: ServerPorts = {}): Promise<RunningServer> {
  const { clock = systemClock, random = systemRandom, log = silentLog, keyEngines } = ports;
  const closers = new Closers(log);
  try {
    return await openAll(config, { clock, random, log, closers, tenant: DEFAULT_TENANT, keyEngines });
  } catch (error) {
    await closers.closeAll();
    throw error;
  }
}

async function openAll(config: Config, ports: Parameters<typeof openFoundation>[1]): Promise<RunningServer> {
  const { clock, log, closers } = ports;
  const host = config.names[0] ?? 'localhost';
  const foundation = await openFoundation(config, ports);
  const rooms = await openRooms(foundation, {
    crlUri: (issuer) => `http://${host}:${config.portPublic}/crl/${issuer}.crl`,
    ocspUri: `http://${host}:${config.portPublic}${OCSP_PATH}`,
    artifactUrl: (jobId) => `https://${host}:${portOf('https') ?? config.portHttps}/artifacts/${jobId}`,
  });
  startWatches(foundation, rooms);
  const serverIdentity = new ServerIdentity(
    {
      clock,
      log,
      keyOwners: rooms.repositories.keyOwners,
      authority: rooms.authority,
      keeper: rooms.issuingKeyReference === undefined ? undefined : credentialKeeper(foundation),
    },
    config.names,
  );
  const credential = await serverIdentity.start();
  closers.add('server certificate', () => serverIdentity.close());
  foundation.engines.onHealth(({ kind }) => {
    if (kind === 'answers') void serverIdentity.retry();
  });

  const gateway = await openGateway(foundation, rooms, credential);
  const management = await openManagement(foundation, rooms, gateway, credential);
  serverIdentity.onRenewed((renewed) => {
    gateway.replaceCertificate(renewed);
    management.replaceCertificate(renewed);
  });
  function portOf(name: string): number | undefined {
    return gateway.ports.find((port) => port.name === name)?.port;
  }

  const dataFolder = foundation.lock.folder;
  const rootCertificatePath = path.join(dataFolder, ROOT_FILE);
  const writeRoots = () => {
    const pem = rooms.authority.anchorsDer.map((der) => encodePem('CERTIFICATE', der)).join('');
    writeFileSync(rootCertificatePath, pem, { mode: 0o600 });
  };
  writeRoots();
  rooms.authority.onChanged(() => {
    writeRoots();
    void serverIdentity.renew();
  });
  return {
    dataFolder,
    rootCertificatePath,
    status: management.status,
    close: () => closers.closeAll(),
    mintConsoleLink() {
      const { token, expiresAt } = management.sessions.mintLink();
      return { url: `${management.consoleOrigin()}/#${token}`, expiresAt: formatRfc3339(expiresAt) };
    },
  };
}
