import { createHash } from 'node:crypto';
import { createSigner, generatePrivateKey, type Signer, signReleaseManifest } from '@holdfast/crypto';
import { decodeUtf8, type JsonValue, seededRandom, systemClock } from '@holdfast/kernel';
import { encodeFirmwareJob } from '@holdfast/wire/holdfast';
import type { ReleaseManifest } from '@holdfast/wire/manifest';
import type { AgentEvent } from '../agent/events.ts';
import { type ManufacturedDevice, manufactureDevice } from '../factory/manufacture.ts';
import { runVirtualDevice, type VirtualDeviceRun } from '../run-virtual-device.ts';
import {
  makeTestKey,
  signTestBootloader,
  signTestImage,
  type TestKey,
} from '../../../crypto/src/virtual-chip/testing/images.ts';
import { TestServer } from './test-server.ts';

/** A product with its keys, a server, and devices made for it. */
export class TestFleet {
  readonly server: TestServer;
  readonly bootKey: TestKey = makeTestKey();
  readonly imageKey: TestKey = makeTestKey();
  readonly releaseSigner: Signer;
  #sequence = 0;

  static async start(): Promise<TestFleet> {
    return new TestFleet(await TestServer.start(), createSigner(await generatePrivateKey('P-256')));
  }

  private constructor(server: TestServer, releaseSigner: Signer) {
    this.server = server;
    this.releaseSigner = releaseSigner;
  }

  /** Makes a device and registers its anchor, as the factory would. */
  make(serial: string, folder?: string): ManufacturedDevice {
    const made = manufactureDevice({
      tenant: 'default',
      product: 'hub',
      hardwareRevision: 'a1',
      serial,
      board: 'nrf52840',
      bootloader: signTestBootloader(this.bootKey, this.imageKey),
      firmware: this.image('1.0.0', 1),
      trust: {
        tlsAnchors: [this.server.authority.rootPem],
        bootKey: this.bootKey.spki,
        releaseRoot: { version: 1, threshold: 1, keys: [this.releaseSigner.publicKeySpki] },
      },
      random: seededRandom(serial.length + (serial.codePointAt(serial.length - 1) ?? 0)),
      ...(folder === undefined ? {} : { folder }),
    });
    this.server.devices.set(serial, { anchorSpki: made.attestationAnchor, ueid: made.profile.ueid });
    return made;
  }

  image(version: string, counter: number, size = 60_000): Uint8Array {
    return signTestImage(this.imageKey, { version, counter, size });
  }

  /** A job document for an image, its manifest signed; `change` alters the manifest before it is signed. */
  async jobFor(
    image: Uint8Array,
    version: string,
    counter: number,
    change: Partial<ReleaseManifest> = {},
  ): Promise<JsonValue> {
    const hash = createHash('sha256').update(image).digest();
    const name = hash.toString('hex').slice(0, 32);
    this.server.artifacts.set(name, image);
    const manifest: ReleaseManifest = {
      tenant: 'default',
      product: 'hub',
      hardwareRevision: 'a1',
      version,
      securityCounter: counter,
      imageSha256: new Uint8Array(hash),
      length: image.length,
      sequence: ++this.#sequence,
      ...change,
    };
    const envelope = JSON.parse(decodeUtf8(await signReleaseManifest(manifest, [this.releaseSigner]))) as JsonValue;
    const url = `https://localhost:${this.server.httpsPort}/${name}`;
    return encodeFirmwareJob(
      { manifest: envelope, streamName: name, fileId: 0, url, size: image.length },
      { filePath: '/', certificateFile: 'c', signature: 'MEUCIQ==' },
    );
  }
}

/** A device that runs until it is stopped, with everything it said. */
export class RunningDevice {
  readonly events: AgentEvent[] = [];
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  readonly #waiting = new Set<() => void>();

  constructor(server: Pick<TestServer, 'mqttPort' | 'httpsPort'>, run: Omit<VirtualDeviceRun, 'server'>) {
    const { onEvent } = run;
    this.#done = runVirtualDevice(
      {
        timings: { trialMs: 20_000, replyMs: 5000, pollMs: 50, powerReturnMs: 1, reconnect: { baseMs: 5, maxMs: 20 } },
        ...run,
        server: { host: 'localhost', mqttPort: server.mqttPort, httpsPort: server.httpsPort },
        onEvent: (event) => {
          this.events.push(event);
          onEvent?.(event);
          for (const check of this.#waiting) check();
        },
      },
      this.#stop.signal,
    );
  }

  /** Waits for an event with these members; fails with what was said instead. */
  async until(expected: Readonly<Record<string, unknown>>, timeoutMs = 20_000): Promise<AgentEvent> {
    const { promise, resolve, reject } = Promise.withResolvers<AgentEvent>();
    const check = (): void => {
      const found = this.events.find((event) =>
        Object.entries(expected).every(
          ([name, value]) => (event as unknown as Record<string, unknown>)[name] === value,
        ),
      );
      if (found !== undefined) resolve(found);
    };
    const timer = systemClock.after(timeoutMs, () =>
      reject(new Error(`never ${JSON.stringify(expected)}, but ${JSON.stringify(this.events, undefined, 1)}`)),
    );
    this.#waiting.add(check);
    void this.#done.catch(reject);
    check();
    try {
      return await promise;
    } finally {
      timer.cancel();
      this.#waiting.delete(check);
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }
}
