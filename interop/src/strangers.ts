import type { Stranger } from './stranger.ts';
import { awsPython } from './stranger/aws-python.ts';
import { awsSdk } from './stranger/aws-sdk.ts';
import { awsShadow } from './stranger/aws-shadow.ts';
import { awsTemplates } from './stranger/aws-templates.ts';
import { awsSdkV1 } from './stranger/aws-sdk-v1.ts';
import { betweenStrangers } from './stranger/between-strangers.ts';
import { certtool, opensslVerify, peculiarX509, pkijsReader } from './stranger/certificates.ts';
import { chromium } from './stranger/chromium.ts';
import { cluster } from './stranger/cluster.ts';
import { curlOpenssl } from './stranger/curl-openssl.ts';
import { cysecuretools, espefuse, espsecure, imgtool, nrfutil, nxpimage, pfr } from './stranger/image-tools.ts';
import { realFirmware } from './stranger/real-firmware.ts';
import { rauc, swupdate } from './stranger/linux-tools.ts';
import { espSecureCert, nvsGenerator } from './stranger/espressif-factory.ts';
import { estPasswords } from './stranger/est-passwords.ts';
import { estClient } from './stranger/estclient.ts';
import { kms } from './stranger/kms.ts';
import { mbedtls } from './stranger/mbedtls.ts';
import { mosquitto } from './stranger/mosquitto.ts';
import { mqttJs } from './stranger/mqtt-js.ts';
import { nats } from './stranger/nats.ts';
import { paho } from './stranger/paho.ts';
import { pahoGo } from './stranger/paho-go.ts';
import { postgres } from './stranger/postgres.ts';
import { s3 } from './stranger/s3.ts';
import { softhsm } from './stranger/softhsm.ts';
import { gcc, opensslPkcs12, zbar } from './stranger/station-files.ts';
import { strongswan } from './stranger/strongswan.ts';
import { tpm } from './stranger/tpm.ts';
import { nmap, testssl } from './stranger/tls-scanners.ts';
import { limboSample, mcubootImages, mqttSequences, wycheproof } from './stranger/vectors.ts';
import { virtualDevice } from './stranger/virtual-device.ts';

/** Everybody Holdfast is held against, in the order they are met. */
export const STRANGERS: readonly Stranger[] = [
  awsSdk,
  awsShadow,
  awsTemplates,
  awsSdkV1,
  awsPython,
  mqttJs,
  mosquitto,
  betweenStrangers,
  paho,
  pahoGo,
  mbedtls,
  nats,
  curlOpenssl,
  estPasswords,
  estClient,
  strongswan,
  testssl,
  nmap,
  opensslVerify,
  certtool,
  pkijsReader,
  peculiarX509,
  imgtool,
  postgres,
  cluster,
  s3,
  softhsm,
  kms,
  virtualDevice,
  tpm,
  espsecure,
  espefuse,
  nrfutil,
  nxpimage,
  pfr,
  cysecuretools,
  realFirmware,
  nvsGenerator,
  espSecureCert,
  opensslPkcs12,
  gcc,
  zbar,
  rauc,
  swupdate,
  chromium,
  mqttSequences,
  limboSample,
  mcubootImages,
  wycheproof,
];
