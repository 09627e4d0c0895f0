import type { Stranger } from './stranger.ts';
import { awsSdk } from './stranger/aws-sdk.ts';
import { certtool, opensslVerify, peculiarX509, pkijsReader } from './stranger/certificates.ts';
import { curlOpenssl } from './stranger/curl-openssl.ts';
import { mosquitto } from './stranger/mosquitto.ts';
import { mqttJs } from './stranger/mqtt-js.ts';
import { paho } from './stranger/paho.ts';
import { strongswan } from './stranger/strongswan.ts';

/** Everybody Holdfast is held against, in the order they are met. */
export const STRANGERS: readonly Stranger[] = [
  awsSdk,
  mqttJs,
  mosquitto,
  paho,
  curlOpenssl,
  strongswan,
  opensslVerify,
  certtool,
  pkijsReader,
  peculiarX509,
];
