import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import path from 'node:path';
import { type ApiClient, createClient } from '@holdfast/api';
import { HoldfastError, parseStrictJson } from '@holdfast/kernel';
import { z } from 'zod';
import { exchange } from './exchange.ts';

/** Where a server is and who asks. Paths in a profile file are relative to it. */
export const RemoteProfile = z.strictObject({
  /** `https://host:9443`. */
  server: z.url({ protocol: /^https$/ }),
  /** PEM files: the operator's certificate and key, and the roots that the server is verified by. */
  cert: z.string().min(1),
  key: z.string().min(1),
  ca: z.string().min(1),
});
export type RemoteProfile = z.infer<typeof RemoteProfile>;

/** @throws `cli.bad_profile`, `cli.file_unusable` */
export function readProfile(file: string): RemoteProfile {
  const parsed = RemoteProfile.safeParse(parseStrictJson(readBytes(file)));
  if (!parsed.success) throw new HoldfastError('cli.bad_profile', { field: parsed.error.issues[0]?.path.join('.') });
  const beside = (name: string) => path.resolve(path.dirname(file), name);
  const { server, cert, key, ca } = parsed.data;
  return { server, cert: beside(cert), key: beside(key), ca: beside(ca) };
}

/** A client over mutual TLS; the server is verified by the profile's roots alone, not by those of the system. */
export function createRemoteClient(profile: RemoteProfile): ApiClient {
  const { hostname, port, host } = new URL(profile.server);
  const credentials = {
    cert: readBytes(profile.cert),
    key: readBytes(profile.key),
    ca: readBytes(profile.ca),
    minVersion: 'TLSv1.2',
  } as const;
  const unreachable = (cause: unknown) => new HoldfastError('server.unreachable', { server: host }, { cause });
  return createClient((apiRequest) =>
    exchange(
      apiRequest,
      (options) =>
        request({
          ...options,
          ...credentials,
          host: hostname.replace(/^\[|\]$/g, ''),
          port: port === '' ? 443 : Number(port),
          headers: { ...options.headers, host },
        }),
      unreachable,
    ),
  );
}

function readBytes(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new HoldfastError('cli.file_unusable', { path: file }, { cause });
  }
}
