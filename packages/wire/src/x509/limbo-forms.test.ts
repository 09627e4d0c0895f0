import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '@holdfast/kernel';
import { decodePem } from '../pem/index.ts';
import { decodeCertificate, decodeCrl } from './index.ts';

interface LimboCase {
  readonly id: string;
  readonly trusted_certs: readonly string[];
  readonly untrusted_intermediates: readonly string[];
  readonly peer_certificate: string;
  readonly crls: readonly string[];
}

const limbo = JSON.parse(readFileSync(new URL('../../vectors/x509/limbo-sample.json', import.meta.url), 'utf8')) as {
  readonly testcases: readonly LimboCase[];
};

/** The field a decoder names, or undefined when everything in the case decodes. */
function refusedField({ trusted_certs, untrusted_intermediates, peer_certificate, crls }: LimboCase): unknown {
  try {
    for (const pem of [...trusted_certs, ...untrusted_intermediates, peer_certificate]) {
      decodeCertificate(decodePem(pem, 'CERTIFICATE'));
    }
    for (const pem of crls) decodeCrl(decodePem(pem, 'X509 CRL'));
    return undefined;
  } catch (error) {
    if (!HoldfastError.is(error, 'wire.malformed')) throw error;
    return error.details.field;
  }
}

describe('certificates of x509-limbo', () => {
  it('decode, save those whose form RFC 5280 forbids', () => {
    const refused = limbo.testcases
      .map((each) => [each.id, refusedField(each)])
      .filter(([, field]) => field !== undefined);
    expect(Object.fromEntries(refused)).toEqual({
      'rfc5280::eku::ee-eku-empty': 'extKeyUsage',
      'rfc5280::root-inconsistent-ca-extensions': 'keyUsage',
      'webpki::aki::root-with-aki-authoritycertserialnumber': 'authorityKeyIdentifier',
      'webpki::nc::intermediate-permitted-excluded-subtrees-both-null': 'nameConstraints',
      'webpki::nc::intermediate-permitted-excluded-subtrees-both-empty-sequences': 'permittedSubtrees',
    });
    expect(limbo.testcases.length).toBe(68);
  });
});
