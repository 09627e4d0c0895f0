import { check, expectEqual, type Stranger } from '../stranger.ts';
import { HOST } from '../world/holdfast-world.ts';
import { PythonDriver } from './python-driver.ts';

const SPOKEN = { 4: '3.1.1', 5: '5' } as const;

const openDriver = (): PythonDriver => new PythonDriver(['paho_exchange:exchange', 'paho-mqtt']);

export const paho: Stranger = {
  name: 'paho-mqtt',
  source: 'PyPI',
  deed: 'exchanges messages over mTLS: QoS 1, retained, refusals; 3.1.1 and 5',
  install: 'pip install paho-mqtt',
  version: async () => {
    const driver = openDriver();
    try {
      return await driver.version();
    } finally {
      driver.close();
    }
  },
  meet: async (world, report) => {
    const driver = openDriver();
    try {
      for (const version of [4, 5] as const) {
        await check(
          report,
          `MQTT ${SPOKEN[version]}: hears itself, finds what is retained, is refused the rest`,
          async () => {
            const device = await world.enroll('paho');
            const order = {
              version,
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
            const expected = { echo: 'heard', retained: 'kept', foreign_subscription: 'refused', other_id: 'refused' };
            expectEqual(JSON.parse(output), expected, 'what it saw');
          },
        );
      }
    } finally {
      driver.close();
    }
  },
};
