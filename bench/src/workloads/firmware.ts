// Signs firmware and hashes it: {"signMicros", "hashMicros"} of CPU for one image and one hash of the given size.
import { createHash } from 'node:crypto';
import { createSigner, generatePrivateKey } from '@holdfast/crypto';
import { ImageSigner } from '@holdfast/trust/boot';
import { parseVersion } from '@holdfast/wire/mcuboot';

const { size, count, hashSize } = JSON.parse(process.argv[2] ?? '{}') as {
  size: number;
  count: number;
  hashSize: number;
};
const signer = new ImageSigner({ signer: createSigner(await generatePrivateKey('P-256')) });
const image = new Uint8Array(size).map((_, index) => index * 31);
const options = {
  version: parseVersion('1.2.3'),
  securityCounter: 4,
  headerSize: 512,
  padHeader: true,
  slot: { size: size + 65_536, writeSize: 8 },
} as const;

async function cost(times: number, action: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  for (let time = 0; time < times; time++) await action();
  const used = process.cpuUsage(before);
  return (used.user + used.system) / times;
}

const sign = (): Promise<unknown> => signer.sign('mcuboot', image, options);
await cost(10, sign);
const signMicros = await cost(count, sign);
const large = new Uint8Array(hashSize);
const hashMicros = await cost(5, () => createHash('sha256').update(large).digest());
console.log(JSON.stringify({ signMicros, hashMicros }));
process.exit(0);
