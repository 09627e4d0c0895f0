import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { check, expectEqual, expectThat, type Stranger } from '../stranger.ts';
import { type EnrolledDevice, HOST, type HoldfastWorld } from '../world/holdfast-world.ts';
import { debianVersion, runTool, succeed, toolVersion } from '../world/run-tool.ts';

const SOURCE = fileURLToPath(new URL('../../c/mbedtls_client.c', import.meta.url));

export const mbedtls: Stranger = {
  name: 'libmbedtls',
  source: 'Debian',
  deed: 'a C client with the limits of a microcontroller (TLS 1.2, P-256, SHA-256 alone) does mTLS and MQTT',
  install: 'apt-get install gcc libc6-dev libmbedtls-dev',
  version: async () =>
    (await toolVersion('gcc', ['--version'])) === undefined ? undefined : debianVersion('libmbedtls-dev'),
  meet: async (world, report) => {
    const program = path.join(world.scratch('mbedtls'), 'client');
    const compiled = await check(report, 'compiles', async () => {
      const libraries = ['-lmbedtls', '-lmbedx509', '-lmbedcrypto'];
      await succeed('gcc', ['-O1', '-Wall', '-o', program, SOURCE, ...libraries]);
    });
    if (!compiled) return;
    const device = await world.enroll('mbedtls');
    await check(report, 'verifies the server, shows its certificate, hears its own message', async () => {
      const said = await succeed(program, argumentsFor(world, device, world.rootFile));
      expectEqual(said.toString(), 'TLSv1.2 TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256 heard\n', 'output');
    });
    await check(report, 'does not take the server for one of another root', async () => {
      const { code, stderr } = await runTool(program, argumentsFor(world, device, device.certificateFile));
      expectThat(code !== 0 && stderr.startsWith('handshake'), `it said ${stderr}`);
    });
  },
};

function argumentsFor(world: HoldfastWorld, device: EnrolledDevice, root: string): readonly string[] {
  return [HOST, String(world.ports.mqtt), root, device.certificateFile, device.keyFile, device.deviceId];
}
