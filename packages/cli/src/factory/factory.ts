import { type ApiClient, ApiProblem } from '@holdfast/api';
import { createSigner, generatePrivateKey, mcubootPublicKey, prepareMcubootImage } from '@holdfast/crypto';
import { type BoardName, encodeBootProgram, type ManufacturedDevice, manufactureDevice } from '@holdfast/device';
import { encodeBase64, encodeUtf8 } from '@holdfast/kernel';
import { decodeDsseEnvelope } from '@holdfast/wire/dsse';
import { decodeReleaseRoot, type TrustAnchors } from '@holdfast/wire/manifest';
import { parseVersion } from '@holdfast/wire/mcuboot';
import { decodePemBlocks, encodePem } from '@holdfast/wire/pem';

export interface FactoryPlan {
  readonly client: ApiClient;
  readonly tenant: string;
  readonly product: string;
  readonly hardwareRevision: string;
  readonly board: BoardName;
}

export interface DeviceOrder {
  readonly serial: string;
  /** Signed image of the first firmware. */
  readonly firmware: Uint8Array;
  readonly groups?: readonly string[];
  /** Folder to make; without one the device lives in memory. */
  readonly folder?: string;
}

/**
 * Makes devices of one product: boot chain and first firmware, fuses, trust anchors, and a row in the registry.
 *
 * The boot key lives as long as the factory's process: nobody signs another bootloader with it.
 */
export class Factory {
  readonly #plan: FactoryPlan;
  readonly #bootloader: Uint8Array;
  readonly trust: TrustAnchors;

  static async open(plan: FactoryPlan): Promise<Factory> {
    const { client, product } = plan;
    const anchors = await client.call('trust-anchors.show', { product });
    const root = encodeUtf8(JSON.stringify(anchors.releaseRoot));
    const bootKey = await generatePrivateKey('P-256');
    const imageKeys = decodePemBlocks(anchors.imageKeysPem ?? anchors.imageKeyPem).map(({ bytes }) => bytes);
    const prepared = prepareMcubootImage(
      encodeBootProgram(imageKeys),
      { version: parseVersion('1.0.0'), headerSize: 32, securityCounter: 0, padHeader: true },
      mcubootPublicKey(bootKey.keyObject),
    );
    const bootloader = prepared.finish(await createSigner(bootKey).sign(prepared.request.message));
    return new Factory(plan, bootloader, {
      tlsAnchors: decodePemBlocks(anchors.tlsAnchorsPem).map(({ label, bytes }) => encodePem(label, bytes)),
      bootKey: bootKey.publicKey.spki,
      releaseRoot: decodeReleaseRoot(decodeDsseEnvelope(root).payload),
    });
  }

  private constructor(plan: FactoryPlan, bootloader: Uint8Array, trust: TrustAnchors) {
    this.#plan = plan;
    this.#bootloader = bootloader;
    this.trust = trust;
  }

  /** @throws `device.folder_exists`, and what the registry refuses */
  async make({ serial, firmware, groups = [], folder }: DeviceOrder): Promise<ManufacturedDevice> {
    const { tenant, product, hardwareRevision, board } = this.#plan;
    const made = manufactureDevice({
      tenant,
      product,
      hardwareRevision,
      serial,
      board,
      bootloader: this.#bootloader,
      firmware,
      trust: this.trust,
      ...(folder === undefined ? {} : { folder }),
    });
    await register(this.#plan, { ...made.profile, anchor: made.attestationAnchor, groups });
    return made;
  }
}

export interface Registration {
  readonly serial: string;
  readonly ueid: string;
  /** SubjectPublicKeyInfo, DER. */
  readonly anchor: Uint8Array;
  readonly groups: readonly string[];
}

/** The factory's row in the registry, named after the serial number. */
export async function register(
  { client, product, hardwareRevision }: FactoryPlan,
  { serial, ueid, anchor, groups }: Registration,
): Promise<void> {
  const attestationAnchor = encodeBase64(anchor);
  const body = { id: serial, serial, product, hardwareRevision, groups: [...groups], attestationAnchor, ueid };
  await client.call('devices.create', { body });
}

/** Creates the product unless it is there; its images fit the board's slots. */
export async function ensureProduct(client: ApiClient, name: string, slotSize: number): Promise<string> {
  try {
    return (await client.call('products.show', { product: name })).hardwareRevisions[0] ?? '';
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.problem.status !== 404) throw error;
  }
  const boot = { format: 'mcuboot', headerSize: 512, slotSize, align: 4 } as const;
  const created = await client.call('products.create', { body: { name, boot } });
  return created.hardwareRevisions[0] ?? '';
}

export interface Publication {
  readonly product: string;
  readonly version: string;
  readonly securityCounter: number;
  readonly firmware: Uint8Array;
  /** The firmware is a signed image already. */
  readonly signed?: boolean;
}

/** Uploads firmware and publishes it; the server signs it. @returns the release's id */
export async function publish(client: ApiClient, { firmware, ...release }: Publication): Promise<string> {
  const { id: artifactId } = await client.call('artifacts.upload', { octets: firmware });
  return (await client.call('releases.create', { body: { ...release, artifactId } })).id;
}
