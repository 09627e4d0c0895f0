// Enrolls devices on a store on disk and says what that cost: {"cpuMicros", "seconds", "operations"}.
import { createCsr, createSigner, generatePrivateKey } from '@holdfast/crypto';
import { addClaim, OPERATOR, openServices, PRODUCT } from '../harness/fleet.ts';

const { folder, count, concurrency } = JSON.parse(process.argv[2] ?? '{}') as {
  folder: string;
  count: number;
  concurrency: number;
};

const services = await openServices(folder);
await services.rooms.products.create(OPERATOR, { name: PRODUCT, hardwareRevisions: ['rev-a'], evidence: 'none' });
const warmUp = 300;
const claim = await addClaim(services, count + warmUp);
const csrs: Uint8Array[] = [];
for (let index = 0; index < count + warmUp; index++) {
  csrs.push(
    await createCsr({ subject: [{ type: 'commonName', value: 'x' }] }, createSigner(await generatePrivateKey('P-256'))),
  );
}

async function enroll(from: number, until: number): Promise<void> {
  let next = from;
  const work = async (): Promise<void> => {
    for (let index = next++; index < until; index = next++) {
      const csr = csrs[index];
      if (csr === undefined) throw new Error('no more requests');
      await services.enrollment.enrollDirect(claim, csr, {
        connectionId: `c${index}`,
        remoteAddress: '127.0.0.1',
        door: 'est',
      });
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
}

await enroll(0, warmUp);
const cpu = process.cpuUsage();
const started = performance.now();
await enroll(warmUp, warmUp + count);
const seconds = (performance.now() - started) / 1000;
const used = process.cpuUsage(cpu);
await services.close();
console.log(JSON.stringify({ cpuMicros: used.user + used.system, seconds, operations: count }));
process.exit(0);
