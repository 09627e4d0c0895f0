import { check, expectEqual, type Stranger } from '../stranger.ts';
import { HOST } from '../world/holdfast-world.ts';
import { versionOf } from './image-tools.ts';
import { PythonDriver } from './python-driver.ts';

const TOOL = ['awsiot_exchange:exchange', 'awsiotsdk'] as const;

export const awsPython: Stranger = {
  name: 'awsiotsdk',
  source: 'PyPI',
  deed: 'connects with its own TLS, exchanges a message, is refused what is not its own; 5',
  install: 'pip install awsiotsdk',
  version: () => versionOf(TOOL),
  meet: async (world, report) => {
    const driver = new PythonDriver(TOOL);
    try {
      await check(report, 'hears itself and is refused the rest', async () => {
        const device = await world.enroll('aws-python');
        const order = {
          host: HOST,
          port: world.ports.mqtt,
          ca: world.rootFile,
          certificate: device.certificateFile,
          key: device.keyFile,
          client_id: device.deviceId,
          topic: `devices/${device.deviceId}`,
          foreign: 'devices/somebody-else/#',
        };
        const { ok, output = '', error } = await driver.run([JSON.stringify(order)]);
        if (!ok) throw new Error(error);
        expectEqual(JSON.parse(output), { echo: 'heard', foreign_subscription: 'refused' }, 'what it saw');
      });
    } finally {
      driver.close();
    }
  },
};
