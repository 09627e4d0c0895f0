import { ManualClock, silentLog } from '@holdfast/kernel';
import { beforeEach, describe, expect, it } from 'vitest';
import { type ServerCertificate, ServerCertificateRenewal } from './server-certificate.ts';

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

describe('server certificate renewal', () => {
  const day = 86_400_000;
  let issued: number;
  let used: ServerCertificate[];
  let broken: boolean;
  const certificate = (): ServerCertificate => ({
    material: { keyPem: `key ${issued}`, chainPem: '' },
    notBefore: clock.now(),
    notAfter: clock.now() + 90 * day,
  });
  const start = () =>
    new ServerCertificateRenewal(
      {
        issue: () => {
          issued++;
          return broken ? Promise.reject(new Error('no key')) : Promise.resolve(certificate());
        },
        use: (next) => used.push(next),
        clock,
        log: silentLog,
      },
      certificate(),
    );
  beforeEach(() => {
    issued = 0;
    used = [];
    broken = false;
  });

  it('happens at two thirds of its life and not before', async () => {
    const renewal = start();
    clock.advance(60 * day - 60_001);
    expect(issued).toBe(0);
    clock.advance(120_000);
    await renewal.renew();
    expect([issued, used]).toEqual([1, [renewal.current]]);
    clock.advance(30 * day);
    expect(issued).toBe(1);
    renewal.close();
  });

  it('is tried again with growing pauses until it works', async () => {
    const renewal = start();
    broken = true;
    clock.advance(60 * day);
    await renewal.renew();
    const first = issued;
    for (let minute = 0; minute < 60; minute++) {
      clock.advance(60_000);
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    expect(issued - first).toBeGreaterThanOrEqual(4);
    expect(issued - first).toBeLessThan(10);
    broken = false;
    clock.advance(3_600_000);
    await renewal.renew();
    expect(used).toHaveLength(1);
    renewal.close();
  });

  it('is due at once when the clock is set forward', () => {
    const renewal = start();
    clock.jump(61 * day);
    clock.advance(60_000);
    expect(issued).toBe(1);
    renewal.close();
  });
});
