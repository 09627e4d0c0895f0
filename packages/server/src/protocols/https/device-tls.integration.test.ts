import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Issued, TestAuthority } from '../../testing/test-authority.ts';
import { closing, GET, lamp, ListenerWorld, ours, probe, server } from './testing/listener-world.ts';

let world: ListenerWorld;
beforeEach(async () => {
  world = new ListenerWorld();
  await world.start();
});
afterEach(() => world.close());

describe('TLS on the device listener', () => {
  const foreign = new TestAuthority('Holdfast Root');
  const served = { said: expect.stringMatching(/^HTTP\/1\.1 200/) };
  const refused = { said: '', closed: true };

  it.each<readonly [string, () => Issued | undefined, string]>([
    [
      'of another CA with the same names (AC01)',
      () => foreign.issue({ profile: 'device-ldevid', name: 'lamp-1' }),
      'auth.untrusted_ca',
    ],
    ['that signed itself (AC02)', () => new TestAuthority('lamp-1').root, 'auth.untrusted_ca'],
    [
      'that a device certificate issued (AC02)',
      () => TestAuthority.under('lamp-1', lamp).issue({ profile: 'device-ldevid', name: 'lamp-2' }),
      'auth.untrusted_ca',
    ],
    ['that is missing (AC21)', () => undefined, 'auth.failed'],
    [
      'that has expired (AC08)',
      () => ours.issue({ profile: 'device-ldevid', name: 'lamp-1', notAfter: Date.now() - 1_000 }),
      'auth.untrusted_ca',
    ],
    [
      'that is not valid yet (AC08)',
      () => ours.issue({ profile: 'device-ldevid', name: 'lamp-1', notBefore: Date.now() + 60_000 }),
      'auth.untrusted_ca',
    ],
    ['that is for servers', () => server, 'auth.untrusted_ca'],
  ])('refuses a certificate %s before a byte of HTTP is answered', async (_, client, action) => {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      expect(await probe(world.credentials(client(), { maxVersion }), GET)).toEqual(refused);
    }
    await expect.poll(() => world.audit.facts.map((fact) => fact.action)).toContain(action);
  });

  it('refuses a certificate without its key (AC07)', () => {
    const other = ours.issue({ profile: 'device-ldevid', name: 'x' });
    expect(() => connect(world.credentials({ ...lamp, keyPem: other.keyPem }))).toThrowError(/key values mismatch/);
  });

  it('refuses a revoked certificate and says so in the audit log (AC03)', async () => {
    world.registry.refuse(lamp, 'identity.certificate_revoked');
    const answer = await world.ask('GET', '/hello/x');
    expect(answer.status).toBe(403);
    await expect
      .poll(() => world.audit.facts)
      .toMatchObject([{ action: 'connect.refused', details: { code: 'identity.certificate_revoked' } }]);
  });

  const resumable = async (maxVersion: 'TLSv1.2' | 'TLSv1.3', client: Issued): Promise<Buffer> => {
    const socket = connect(world.credentials(client, { maxVersion }));
    let session: Buffer | undefined;
    socket.on('session', (value) => {
      session = value;
    });
    socket.write(GET);
    await once(socket, 'data');
    await expect.poll(() => session).toBeDefined();
    socket.destroy();
    return session ?? Buffer.alloc(0);
  };
  const resumed = async (options: ConnectionOptions): Promise<{ reused: boolean; said: string }> => {
    const socket: TLSSocket = connect(options);
    let said = '';
    let reused = false;
    socket.on('data', (chunk) => {
      said += chunk.toString();
      socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.once('secureConnect', () => {
      reused = socket.isSessionReused();
      socket.write(GET);
    });
    await closing(socket);
    return { reused, said };
  };

  describe.each(['TLSv1.2', 'TLSv1.3'] as const)('resuming %s', (maxVersion) => {
    it('serves a device whose certificate is still good', async () => {
      const session = await resumable(maxVersion, lamp);
      expect(await resumed(world.credentials(lamp, { maxVersion, session }))).toMatchObject({
        reused: true,
        ...served,
      });
    });

    it('refuses a device revoked since, with or without showing its certificate (AC04)', async () => {
      const session = await resumable(maxVersion, lamp);
      world.registry.refuse(lamp, 'identity.device_revoked');
      for (const client of [lamp, undefined]) {
        const { reused, said } = await resumed(world.credentials(client, { maxVersion, session }));
        expect(reused).toBe(true);
        expect(said).toMatch(/^HTTP\/1\.1 403/);
      }
    });

    it('falls back to a full handshake once the ticket epoch rose', async () => {
      const session = await resumable(maxVersion, lamp);
      world.listener.door.raiseTicketEpoch(1);
      expect(await resumed(world.credentials(lamp, { maxVersion, session }))).toMatchObject({
        reused: false,
        ...served,
      });
    });
  });

  it('refuses to resume with a certificate that expired since (sheet 2.7)', async () => {
    const brief = ours.issue({ profile: 'device-ldevid', name: 'brief', notAfter: Date.now() + 1_500 });
    world.registry.addDevice('brief', brief);
    const versions = ['TLSv1.2', 'TLSv1.3'] as const;
    const tickets = await Promise.all(versions.map((version) => resumable(version, brief)));
    await new Promise((resolve) => setTimeout(resolve, brief.notAfter - Date.now() + 10));
    for (const [index, maxVersion] of versions.entries()) {
      const session = tickets[index] ?? Buffer.alloc(0);
      const { reused, said } = await resumed(world.credentials(brief, { maxVersion, session }));
      expect(reused).toBe(true);
      expect(said).toMatch(/^HTTP\/1\.1 403/);
    }
  });

  it('closes a connection when its certificate expires while it is open', async () => {
    const brief = ours.issue({ profile: 'device-ldevid', name: 'brief', notAfter: Date.now() + 1_100 });
    world.registry.addDevice('brief', brief);
    const socket = connect(world.credentials(brief));
    socket.on('error', () => undefined);
    socket.write(GET);
    await once(socket, 'data');
    await closing(socket);
    expect(Date.now() - brief.notAfter).toBeGreaterThan(-1_000);
  });

  it('offers TLS 1.2 and 1.3 with AEAD suites and forward secrecy only (AC20)', async () => {
    const weak: ConnectionOptions[] = [
      { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' },
      { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA256:@SECLEVEL=0' },
      { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0' },
      { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0' },
      { maxVersion: 'TLSv1.2', ciphers: 'AES128-GCM-SHA256:@SECLEVEL=0' },
    ];
    for (const options of weak) expect(await probe(world.credentials(lamp, options), GET)).toEqual(refused);
    const small = { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256', ecdhCurve: 'P-256' } as const;
    expect(await probe(world.credentials(lamp, { ...small, ecdhCurve: 'P-256' }), GET)).toMatchObject(served);
    expect(await probe(world.credentials(lamp, { ecdhCurve: 'X25519MLKEM768' }), GET)).toMatchObject(served);
  });

  it('speaks no TLS 1.2 where it is switched off, and 8-byte tags where they are switched on', async () => {
    const ccm8 = { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0' } as const;
    const strict = new ListenerWorld({ minimum: 'TLSv1.3' });
    const lenient = new ListenerWorld({ ccm8: true });
    try {
      await Promise.all([strict.start(), lenient.start()]);
      expect(await probe(strict.credentials(lamp, { maxVersion: 'TLSv1.2' }), GET)).toEqual(refused);
      expect(await probe(strict.credentials(lamp), GET)).toMatchObject(served);
      expect(await probe(lenient.credentials(lamp, ccm8), GET)).toMatchObject(served);
      expect(await probe(lenient.credentials(lamp), GET)).toMatchObject(served);
      for (const ciphers of ['ECDHE-ECDSA-AES128-SHA256', 'AES128-GCM-SHA256', 'PSK-AES128-CCM8']) {
        const weak = { maxVersion: 'TLSv1.2', ciphers: `${ciphers}:@SECLEVEL=0` } as const;
        expect(await probe(lenient.credentials(lamp, weak), GET)).toEqual(refused);
      }
    } finally {
      await Promise.all([strict.close(), lenient.close()]);
    }
  });

  it('refuses renegotiation', async () => {
    const socket = connect(world.credentials(lamp, { maxVersion: 'TLSv1.2' }));
    await once(socket, 'secureConnect');
    const outcome = await new Promise<Error | null>((resolve) => {
      socket.on('error', resolve);
      socket.renegotiate({}, resolve);
    });
    expect(outcome).toBeInstanceOf(Error);
    socket.destroy();
  });

  it('takes known application protocols and none, and no others', async () => {
    expect(await probe(world.credentials(lamp, { ALPNProtocols: ['h2', 'http/1.1'] }), GET)).toMatchObject(served);
    expect(await probe(world.credentials(lamp, { ALPNProtocols: ['x-amzn-http-ca'] }), GET)).toMatchObject(served);
    expect(await probe(world.credentials(lamp), GET)).toMatchObject(served);
    expect(await probe(world.credentials(lamp, { ALPNProtocols: ['h2'] }), GET)).toEqual(refused);
  });

  it('shows a new certificate after a swap, to new connections and without dropping the old ones', async () => {
    const open = connect(world.credentials(lamp));
    await once(open, 'secureConnect');
    const fresh = ours.issue({ profile: 'server', name: 'localhost' });
    const session = await resumable('TLSv1.3', lamp);
    world.listener.door.replace({ keyPem: fresh.keyPem, chainPem: fresh.pem });
    const socket = connect(world.credentials(lamp));
    await once(socket, 'secureConnect');
    expect(Buffer.from(fresh.der).equals(socket.getPeerX509Certificate()?.raw ?? Buffer.alloc(0))).toBe(true);
    socket.destroy();
    expect(await resumed(world.credentials(lamp, { session }))).toMatchObject({ reused: true, ...served });
    open.write(GET);
    expect(String((await once(open, 'data'))[0])).toMatch(/^HTTP\/1\.1 200/);
    open.destroy();
  });

  it('drops plaintext, silence and drip before they cost a handshake', async () => {
    const say = async (write: (socket: ReturnType<typeof connectTcp>) => void): Promise<number> => {
      const started = performance.now();
      const socket = connectTcp(world.port, '127.0.0.1');
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      write(socket);
      await closing(socket);
      return performance.now() - started;
    };
    const waits = await Promise.all([
      say((socket) => socket.write(GET)),
      say(() => undefined),
      say((socket) => socket.write(Buffer.from([22, 3, 1, 2, 0]))),
      say((socket) => socket.write(Buffer.from([22, 3, 1, 255, 255]))),
    ]);
    expect(Math.max(...waits)).toBeLessThan(5_000);
    expect(world.listener.door.counters).toMatchObject({ inFlight: 0, waiting: 0 });
    expect((await world.ask('GET', '/hello/x')).status).toBe(200);
  });
});
