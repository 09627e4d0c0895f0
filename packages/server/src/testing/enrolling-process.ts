import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  createSigner,
  generatePrivateKey,
  importPrivateKey,
  importPrivateKeyPem,
  type PrivateKey,
} from '@holdfast/crypto';
import type { AuthorityKeys, EnrollmentContext } from '@holdfast/trust/identity';
import type { ClaimPrincipal } from '@holdfast/trust/principal';
import { connection, type IdentityWorld, makeCsr, openIdentityWorld } from './identity-world.ts';

/** Authority keys as PEM files: only so that a killed test process finds them again. */
export class FileAuthorityKeys implements AuthorityKeys {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async creating({ keyId }: { readonly keyId: string }): ReturnType<AuthorityKeys['creating']> {
    const key = await generatePrivateKey('P-256');
    writeFileSync(path.join(this.#folder, `${keyId}.pem`), key.exportPem());
    return { signer: createSigner(key), writes: [] };
  }

  async signer(_tenant: string, keyId: string): ReturnType<AuthorityKeys['signer']> {
    return createSigner(importPrivateKeyPem(readFileSync(path.join(this.#folder, `${keyId}.pem`))));
  }

  async destroy({ keyId }: { readonly keyId: string }): Promise<void> {
    rmSync(path.join(this.#folder, `${keyId}.pem`));
  }
}

/** Device keys that a test and the process it kills both have. */
function deviceKeys(folder: string): readonly PrivateKey[] {
  const all = JSON.parse(readFileSync(path.join(folder, 'devices.json'), 'utf8')) as readonly string[];
  return all.map((pkcs8) => importPrivateKey(Buffer.from(pkcs8, 'base64')));
}

/** What a device says at the door without client certificates. */
async function byPassword({ passwords }: IdentityWorld, folder: string, index: number): Promise<EnrollmentContext> {
  const all = JSON.parse(readFileSync(path.join(folder, 'passwords.json'), 'utf8')) as readonly Credential[];
  const credential = all[index];
  if (credential === undefined) throw new TypeError('too few passwords');
  const verdict = await passwords.check({ tenant: 'default', ...credential, remoteAddress: '192.0.2.1' });
  if (verdict.kind !== 'accepted') throw new TypeError(`the password of ${index} is ${verdict.kind}`);
  return { ...connection('c', 'est'), password: verdict.password };
}

interface Credential {
  readonly name: string;
  readonly password: string;
}

/** One device after the other, through every door in turn, as clients do; what is enrolled is said on stdout. */
async function enrollAll(folder: string, claim: ClaimPrincipal): Promise<void> {
  const world = await openIdentityWorld({
    location: path.join(folder, 'records.db'),
    keys: new FileAuthorityKeys(folder),
  });
  const { enrollment, opened } = world;
  for (const [index, key] of deviceKeys(folder).entries()) {
    const csrDer = await makeCsr({ key });
    const door = index % 4;
    if (door === 0) await enrollment.enrollDirect(claim, csrDer, connection('c', 'est'));
    else if (door === 2) await enrollment.enrollDirect(claim, csrDer, await byPassword(world, folder, index));
    else if (door === 3) await enrollment.enrollWithServerKey(claim, csrDer, await byPassword(world, folder, index));
    else {
      const { ownershipToken } = await enrollment.createCertificate(claim, { csrDer }, connection('c'));
      const parameters = { SerialNumber: `lamp-${index}` };
      await enrollment.registerThing(claim, { template: 'lamp', ownershipToken, parameters }, connection('c'));
    }
    process.stdout.write(`${index}\n`);
  }
  await opened.close();
}

const [folder, claim] = process.argv.slice(2);
if (import.meta.main && folder !== undefined && claim !== undefined) {
  await enrollAll(folder, JSON.parse(claim) as ClaimPrincipal);
}
