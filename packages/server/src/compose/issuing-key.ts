import { sha256 } from '@holdfast/crypto';
import { encodeHex, encodeUtf8, toHoldfastError } from '@holdfast/kernel';
import type { CertificateAuthority, CredentialKeeper } from '@holdfast/trust/identity';
import type { KeyOwnerRepository } from '@holdfast/trust/ports';
import { decodeCertificate } from '@holdfast/wire/x509';
import type { Foundation } from './foundation.ts';

/** Where the issuing authority's key is when it is not sealed here; it is looked at from now on. */
export async function watchIssuingKey(
  { keys, engines, tenant, config, log }: Foundation,
  authority: CertificateAuthority,
  keyOwners: KeyOwnerRepository,
): Promise<string | undefined> {
  const owner = await keyOwners.find(authority.issuing.spkiSha256);
  const reference = owner && (await keys.referenceOf(tenant, owner.id));
  if (config.issuingKey !== undefined && config.issuingKey !== reference) {
    log.warn('the issuing authority was founded on another key than issuingKey names; the setting changes nothing');
  }
  if (reference !== undefined) engines.watch(reference, decodeCertificate(authority.issuing.der).spki.raw);
  return reference;
}

/** The TLS credential of the last start, for one at which the token or service that issues is away. */
export function credentialKeeper(foundation: Foundation): CredentialKeeper {
  const { clock, tenant, fields, sealedRecords, database, config, log } = foundation;
  const id = encodeHex(sha256(encodeUtf8(config.names.join())));
  const place = { tenant, kind: 'server-credential', id, version: 1 };
  return {
    async keep(content) {
      try {
        const former = (await sealedRecords.find(place)) ? [sealedRecords.deleting(place)] : [];
        const sealing = await fields.seal(place, content);
        const record = { ...place, ...sealing, createdAt: clock.now() };
        await database.store.commit([...former, sealedRecords.inserting(record)]);
      } catch (error) {
        log.warn('the TLS credential was not kept for the next start', { code: toHoldfastError(error).code });
      }
    },
    async read() {
      const found = await sealedRecords.find(place);
      return found && fields.open(place, found.sealed);
    },
  };
}
