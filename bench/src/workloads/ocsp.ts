// Answers OCSP requests, each with a nonce and so signed for itself: {"cpuMicros", "operations"}.
import { createCsr, createSigner, generatePrivateKey, OcspIssuer } from '@holdfast/crypto';
import { systemRandom } from '@holdfast/kernel';
import { decodeCertificate, encodeOcspRequest } from '@holdfast/wire/x509';
import { addClaim, OPERATOR, openServices, PRODUCT } from '../harness/fleet.ts';

const { folder, count, concurrency } = JSON.parse(process.argv[2] ?? '{}') as {
  folder: string;
  count: number;
  concurrency: number;
};

const services = await openServices(folder);
const { authority, ocsp, products } = services.rooms;
await products.create(OPERATOR, { name: PRODUCT, hardwareRevisions: ['rev-a'], evidence: 'none' });
const csr = await createCsr({ subject: [] }, createSigner(await generatePrivateKey('P-256')));
const place = { connectionId: 'c', remoteAddress: '127.0.0.1', door: 'est' } as const;
const { certificateDer } = await services.enrollment.enrollDirect(await addClaim(services, 1), csr, place);
const issuer = new OcspIssuer(decodeCertificate(authority.issuing.der));
const certId = issuer.certId(decodeCertificate(certificateDer).serial);

async function answer(answers: number): Promise<void> {
  let left = answers;
  const work = async (): Promise<void> => {
    while (left-- > 0) {
      const { kind } = await ocsp.answer(encodeOcspRequest(certId, systemRandom.bytes(32)));
      if (kind !== 'signed') throw new Error('an ocsp request was refused');
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
}

await answer(500);
const before = process.cpuUsage();
await answer(count);
const { user, system } = process.cpuUsage(before);
await services.close();
console.log(JSON.stringify({ cpuMicros: user + system, operations: count }));
process.exit(0);
