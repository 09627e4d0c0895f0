import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  createSigner,
  generatePrivateKey,
  importPrivateKey,
  importPrivateKeyPem,
  type PrivateKey,
} from '@holdfast/crypto';
import type { AuthorityKeys } from '@holdfast/trust/identity';
import type { ClaimPrincipal } from '@holdfast/trust/principal';
import { connection, makeCsr, openIdentityWorld } from './identity-world.ts';

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

/** One device after the other, through both doors in turn, as clients do; what is enrolled is said on stdout. */
async function enrollAll(folder: string, claim: ClaimPrincipal): Promise<void> {
  const { enrollment, opened } = await openIdentityWorld({
    location: path.join(folder, 'records.db'),
    keys: new FileAuthorityKeys(folder),
  });
  for (const [index, key] of deviceKeys(folder).entries()) {
    const csrDer = await makeCsr({ key });
    if (index % 2 === 0) {
      await enrollment.enrollDirect(claim, csrDer, connection('c', 'est'));
    } else {
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
