import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { startBrokerProgram } from './testing/broker-program.ts';
import { SocketClient } from './testing/socket-client.ts';

const MIB = 1024 * 1024;
const run = promisify(execFile);

describe('a hundred thousand mutated packets', () => {
  it('crash nothing and leave nothing behind, in a heap of 64 MiB', async () => {
    const script = new URL('testing/soak.ts', import.meta.url).pathname;
    const flags = ['--expose-gc', '--max-old-space-size=64', '--max-semi-space-size=2'];
    const { stdout, stderr } = await run(process.execPath, [...flags, script, '100000']);
    const figures = JSON.parse(stdout) as Record<string, number>;
    console.log(stdout.trim());
    expect(stderr).toBe('');
    expect(figures['left']).toBe(0);
    expect(figures['refused']).toBeGreaterThan(10_000);
    expect(figures['liveBytes']).toBeLessThan(8 * MIB);
    expect(figures['residentBytes']).toBeLessThan(64 * MIB);
  });

  it('over sockets leave the program serving', async () => {
    const program = await startBrokerProgram();
    try {
      for (let round = 0; round < 250; round++) {
        const client = await SocketClient.open(program.port, 4);
        const packets = Array.from({ length: 20 }, (_, n) => {
          const bytes = Uint8Array.of(0x30, 9, 0, 3, 97, 47, 98, 1, 2, 3, 4);
          bytes[(round + n) % bytes.length] = (round * 31 + n * 7) & 0xff;
          return bytes;
        });
        if (round % 4 > 0) await SocketClient.greet(client, `soak-${round % 50}`);
        for (const packet of packets) client.write(packet);
        client.drop();
      }
      const { connack } = await SocketClient.connected(program.port, 'still-there');
      expect(connack.reason).toBe(0);
    } finally {
      await program.stop();
    }
  });
});
