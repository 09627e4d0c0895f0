import { z } from 'zod';
import { type SinkSetting, SinkSettings } from '../engines/sinks/sink-settings.ts';

/** One setting: where it comes from, what it defaults to, and its unit in words. */
export interface ConfigField<Value> {
  readonly schema: z.ZodType<Value>;
  readonly fallback: Value;
  /** Name in the environment. */
  readonly env: string;
  /** Long option of `holdfast up`, without dashes. */
  readonly flag: string;
  readonly words: string;
  /** A reference such as `file:/path` that leads to a secret; the reference is shown, what it leads to never. */
  readonly reference?: true;
}

const Port = z.coerce.number().int().min(0).max(65_535);
const List = z.union([
  z.array(z.string()),
  z.string().transform((text) =>
    text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== ''),
  ),
]);
const Switch = z.union([z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')]);
const HostName = /^(?=.{1,253}$)[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*$/;

function field<Value>(row: ConfigField<Value>): ConfigField<Value> {
  return row;
}

/** Every setting of the server: one row, its default and unit beside it. File < environment < flags. */
export const CONFIG_FIELDS = {
  data: field({
    schema: z.string().min(1),
    fallback: './data',
    env: 'HOLDFAST_DATA',
    flag: 'data',
    words: 'folder that holds everything but the root key',
  }),
  rootKey: field<string | undefined>({
    schema: z
      .string()
      .regex(/^(file|env|systemd):.+$/)
      .optional(),
    fallback: undefined,
    env: 'HOLDFAST_ROOT_KEY',
    flag: 'root-key',
    words:
      'reference to the 32-byte root key: file:PATH, env:NAME or systemd:NAME; by default DATA.root-key beside the folder',
    reference: true,
  }),
  issuingKey: field<string | undefined>({
    schema: z
      .string()
      .regex(/^(pkcs11|kms):.+$/)
      .optional(),
    fallback: undefined,
    env: 'HOLDFAST_ISSUING_KEY',
    flag: 'issuing-key',
    words:
      'P-256 key that the issuing authority is founded on at the first start: pkcs11:token=LABEL;object=LABEL, kms:ARN or kms:alias/NAME?region=NAME; by default one made and sealed here',
  }),
  pkcs11Module: field<string | undefined>({
    schema: z.string().startsWith('/').optional(),
    fallback: undefined,
    env: 'HOLDFAST_PKCS11_MODULE',
    flag: 'pkcs11-module',
    words: "path of the token maker's PKCS #11 module; needs the package pkcs11js",
  }),
  pkcs11Pin: field<string | undefined>({
    schema: z
      .string()
      .regex(/^(file|env):.+$/)
      .optional(),
    fallback: undefined,
    env: 'HOLDFAST_PKCS11_PIN',
    flag: 'pkcs11-pin',
    words: "reference to the token's user PIN: file:PATH or env:NAME",
    reference: true,
  }),
  store: field<string | undefined>({
    schema: z
      .string()
      .regex(/^((file|env):.+|postgres(ql)?:\/\/(?![^/?#]*:[^/?#]*@).+)$/)
      .optional(),
    fallback: undefined,
    env: 'HOLDFAST_STORE',
    flag: 'store',
    words:
      'PostgreSQL to keep records in: postgres://USER@HOST:PORT/DATABASE without a password, or file:PATH or env:NAME that holds the address; by default a file in the data folder',
    reference: true,
  }),
  storePassword: field<string | undefined>({
    schema: z
      .string()
      .regex(/^(file|env):.+$/)
      .optional(),
    fallback: undefined,
    env: 'HOLDFAST_STORE_PASSWORD',
    flag: 'store-password',
    words:
      "reference to the database's password: file:PATH or env:NAME; by default PGPASSWORD, PGPASSFILE or ~/.pgpass",
    reference: true,
  }),
  storeCa: field<string | undefined>({
    schema: z.string().min(1).optional(),
    fallback: undefined,
    env: 'HOLDFAST_STORE_CA',
    flag: 'store-ca',
    words: 'PEM file of the authorities that the database server may have its certificate from',
  }),
  storePlaintext: field({
    schema: Switch,
    fallback: false,
    env: 'HOLDFAST_STORE_PLAINTEXT',
    flag: 'store-plaintext',
    words: 'whether records may cross a network to the database in clear; needs sslmode=disable in the address',
  }),
  blobs: field<string | undefined>({
    schema: z.string().startsWith('s3://').optional(),
    fallback: undefined,
    env: 'HOLDFAST_BLOBS',
    flag: 'blobs',
    words:
      "bucket to keep sealed firmware in: s3://BUCKET/PREFIX?endpoint=URL&region=NAME, credentials from where Amazon's own tools take them; by default files in the data folder",
  }),
  bus: field<string | undefined>({
    schema: z
      .string()
      .regex(/^(nats|tls):\/\/(?![^/?#]*@).+$/)
      .optional(),
    fallback: undefined,
    env: 'HOLDFAST_BUS',
    flag: 'bus',
    words:
      'NATS that carries messages between servers on one store: nats://HOST:PORT or tls://HOST:PORT, several separated by commas; alone unless given',
  }),
  busCredentials: field<string | undefined>({
    schema: z
      .string()
      .regex(/^(file|env):.+$/)
      .optional(),
    fallback: undefined,
    env: 'HOLDFAST_BUS_CREDENTIALS',
    flag: 'bus-credentials',
    words: 'reference to a NATS credentials file, to USER:PASSWORD or to a token: file:PATH or env:NAME',
    reference: true,
  }),
  busCa: field<string | undefined>({
    schema: z.string().min(1).optional(),
    fallback: undefined,
    env: 'HOLDFAST_BUS_CA',
    flag: 'bus-ca',
    words: 'PEM file of the authorities that the bus may have its certificate from',
  }),
  busPlaintext: field({
    schema: Switch,
    fallback: false,
    env: 'HOLDFAST_BUS_PLAINTEXT',
    flag: 'bus-plaintext',
    words: 'whether the way to the bus may leave this machine without TLS; what is said there is sealed all the same',
  }),
  listen: field({
    schema: z.ipv4().or(z.ipv6()).or(z.literal('localhost')),
    fallback: '127.0.0.1',
    env: 'HOLDFAST_LISTEN',
    flag: 'listen',
    words: 'address every listener binds; loopback until told otherwise',
  }),
  names: field({
    schema: List.pipe(z.array(z.string().regex(HostName).or(z.ipv4()).or(z.ipv6()))),
    fallback: [] as string[],
    env: 'HOLDFAST_NAMES',
    flag: 'name',
    words: 'host names and addresses added to the server certificate beside localhost, 127.0.0.1 and ::1',
  }),
  portMqtt: field({
    schema: Port,
    fallback: 8883,
    env: 'HOLDFAST_PORT_MQTT',
    flag: 'port-mqtt',
    words: 'MQTT over mutual TLS',
  }),
  portHttps: field({
    schema: Port,
    fallback: 8443,
    env: 'HOLDFAST_PORT_HTTPS',
    flag: 'port-https',
    words: 'device HTTPS over mutual TLS',
  }),
  portMux: field<number | undefined>({
    schema: Port.optional(),
    fallback: undefined,
    env: 'HOLDFAST_PORT_MUX',
    flag: 'port-mux',
    words:
      'MQTT and device HTTPS on one port, told apart by ALPN or the first byte; 443 for stock AWS clients; closed unless given',
  }),
  portManagement: field({
    schema: Port,
    fallback: 9443,
    env: 'HOLDFAST_PORT_MANAGEMENT',
    flag: 'port-management',
    words: 'management API and console',
  }),
  portEnroll: field({
    schema: Port,
    fallback: 8444,
    env: 'HOLDFAST_PORT_ENROLL',
    flag: 'port-enroll',
    words: 'enrollment with server TLS only, opened by enrollListen',
  }),
  portPublic: field({
    schema: Port,
    fallback: 8880,
    env: 'HOLDFAST_PORT_PUBLIC',
    flag: 'port-public',
    words: 'signed objects over plain HTTP: revocation lists, OCSP and issuer certificates',
  }),
  enrollListen: field({
    schema: Switch,
    fallback: false,
    env: 'HOLDFAST_ENROLL_LISTEN',
    flag: 'enroll-listen',
    words: 'whether the enrollment listener is open',
  }),
  sinks: field<readonly SinkSetting[]>({
    schema: SinkSettings,
    fallback: [],
    env: 'HOLDFAST_SINKS',
    flag: 'sinks',
    words: 'where messages of devices go: a list of jsonl, webhook and nats sinks; JSON outside the file',
  }),
  sinkSpoolMib: field({
    schema: z.coerce.number().min(1).max(1_048_576),
    fallback: 1024,
    env: 'HOLDFAST_SINK_SPOOL_MIB',
    flag: 'sink-spool-mib',
    words: 'disk that messages for sinks may take, in MiB; over it QoS 1 publishers wait and QoS 0 is dropped',
  }),
  sinkRetentionHours: field({
    schema: z.coerce.number().min(0).max(87_600),
    fallback: 24,
    env: 'HOLDFAST_SINK_RETENTION_HOURS',
    flag: 'sink-retention-hours',
    words: 'how long delivered messages stay for a replay, in hours, as far as there is room',
  }),
  mqttProfile: field({
    schema: z.enum(['aws', 'mqtt']),
    fallback: 'aws' as const,
    env: 'HOLDFAST_MQTT_PROFILE',
    flag: 'mqtt-profile',
    words: 'how MQTT behaves where AWS IoT Core and the standard differ: aws or mqtt',
  }),
  muxProfile: field<'aws' | 'mqtt' | undefined>({
    schema: z.enum(['aws', 'mqtt']).optional(),
    fallback: undefined,
    env: 'HOLDFAST_MUX_PROFILE',
    flag: 'mux-profile',
    words: 'the same for connections on the one port; that of mqttProfile unless given',
  }),
  tlsMinimum: field({
    schema: z.enum(['1.2', '1.3']),
    fallback: '1.2' as const,
    env: 'HOLDFAST_TLS_MINIMUM',
    flag: 'tls-minimum',
    words: 'oldest TLS that devices may speak; many small stacks have no 1.3',
  }),
  tlsCcm8: field({
    schema: Switch,
    fallback: false,
    env: 'HOLDFAST_TLS_CCM8',
    flag: 'tls-ccm8',
    words: 'whether devices are offered suites with an 8-byte tag, for stacks that have no other',
  }),
  logLevel: field({
    schema: z.enum(['debug', 'info', 'warn', 'error']),
    fallback: 'info' as const,
    env: 'HOLDFAST_LOG_LEVEL',
    flag: 'log-level',
    words: 'least severe level that is written to stderr',
  }),
};

type Fields = typeof CONFIG_FIELDS;
export type ConfigName = keyof Fields;

/** The settings a server runs with. */
export type Config = { readonly [Name in ConfigName]: Fields[Name] extends ConfigField<infer Value> ? Value : never };
