import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import { createServer as createHttps, type Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createServer as createTls, type Server as TlsServer, type TLSSocket } from 'node:tls';
import { type EvidenceVerdict, generatePrivateKey, verifyCsr, verifyEvidence } from '@holdfast/crypto';
import { decodeBase64, decodeHex, encodeBase64, isJsonObject, type JsonValue, systemClock } from '@holdfast/kernel';
import {
  type AwsFormat,
  awsReplyTopics,
  decodeAwsPayload,
  encodeAwsPayload,
  encodeStreamData,
  jobsNotifyNextTopic,
  parseAwsIotTopic,
  readStreamGet,
  selectBlocks,
} from '@holdfast/wire/aws-iot';
import { encodeCertsOnly } from '@holdfast/wire/cms';
import {
  acceptedTopic,
  type EvidenceReply,
  encodeEvidenceNonce,
  encodeEvidenceReply,
  encodeRenewalReply,
  encodeTimeReply,
  parseHoldfastTopic,
} from '@holdfast/wire/holdfast';
import type { PublishPacket } from '@holdfast/wire/mqtt';
import { decodePem } from '@holdfast/wire/pem';
import { TestAuthority } from './test-authority.ts';
import { Peer } from './test-peer.ts';

/** What the responder knows of one device. */
export interface RegisteredDevice {
  readonly anchorSpki: Uint8Array;
  readonly ueid: string;
}

interface TestJob {
  readonly jobId: string;
  readonly document: JsonValue;
  status: string;
  details: Record<string, string>;
  version: number;
}

type Verdict = (verdict: EvidenceVerdict) => EvidenceReply;

const trusting: Verdict = (verdict) => ({
  posture: verdict.kind === 'measured' ? 'proven' : 'restricted',
  reasons: [],
  bootState: verdict.kind === 'measured' ? verdict.bootState : 'confirmed',
  proceed: verdict.kind === 'measured' && verdict.bootState === 'test' ? 'confirm' : 'none',
});

/** A small server over real sockets that answers a device the way the protocol sheets say; it decides nothing. */
export class TestServer {
  readonly authority: TestAuthority;
  readonly devices = new Map<string, RegisteredDevice>();
  readonly jobs: TestJob[] = [];
  readonly statuses: string[] = [];
  readonly verdicts: EvidenceVerdict[] = [];
  readonly enrolled: string[] = [];
  /** Whose certificates are to be renewed before their time. */
  readonly wantsRenewal = new Set<string>();
  readonly artifacts = new Map<string, Uint8Array>();
  judge: Verdict = trusting;
  /** Blocks withheld once each, to make the device ask again. */
  readonly lostBlocks = new Set<number>();
  /** Bytes after which a download's connection is cut, once. */
  cutDownloadAfter: number | undefined;
  deviceLife: { notBefore: number; notAfter: number } | undefined;
  mqttPort = 0;
  httpsPort = 0;
  readonly #sockets = new Set<TLSSocket>();
  readonly #byThing = new Map<string, Peer>();
  #servers: (TlsServer | HttpsServer)[] = [];

  static async start(authority?: TestAuthority): Promise<TestServer> {
    const server = new TestServer(authority ?? (await TestAuthority.create()));
    await server.#listen();
    return server;
  }

  private constructor(authority: TestAuthority) {
    this.authority = authority;
  }

  addJob(jobId: string, document: JsonValue): TestJob {
    const job = { jobId, document, status: 'QUEUED', details: {}, version: 1 };
    this.jobs.push(job);
    for (const [thing, peer] of this.#byThing) {
      peer.publish(jobsNotifyNextTopic(thing), encodeAwsPayload('json', { timestamp: 1, execution: execution(job) }));
    }
    return job;
  }

  /** Cuts every connection, as a restart would. */
  dropConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.dropConnections();
    await Promise.all(
      this.#servers.map((server) => {
        if ('closeAllConnections' in server) server.closeAllConnections();
        return new Promise((resolve) => server.close(resolve));
      }),
    );
  }

  async answer(peer: Peer, { topic, payload }: PublishPacket): Promise<void> {
    const own = parseHoldfastTopic(topic);
    if (own !== undefined) return this.#answerHoldfast(peer, own.thing, own.request, topic, payload);
    const request = parseAwsIotTopic(topic);
    if (request === undefined) return;
    const { accepted, rejected } = awsReplyTopics(request);
    const format: AwsFormat = 'format' in request ? request.format : 'json';
    const reply = (members: Record<string, unknown>): void => peer.publish(accepted, encodeAwsPayload(format, members));
    const members = decodeAwsPayload(format, payload);
    if (request.kind === 'create-from-csr')
      reply(await this.#fromCsr(String(members.get('certificateSigningRequest'))));
    if (request.kind === 'create-keys') reply(await this.#withKey());
    if (request.kind === 'register-thing') {
      const given = members.get('parameters');
      const serial =
        given instanceof Map ? given.get('SerialNumber') : isJsonObject(given) ? given['SerialNumber'] : '';
      this.enrolled.push(String(serial));
      reply({ deviceConfiguration: {}, thingName: String(serial) });
    }
    if (request.kind === 'jobs-start-next') reply(this.#startNext(members.get('clientToken')));
    if (request.kind === 'job-update') {
      const job = this.jobs.find(({ jobId }) => jobId === request.job);
      if (job === undefined || ['SUCCEEDED', 'FAILED', 'CANCELED'].includes(job.status)) {
        const error = {
          code: 'InvalidStateTransition',
          message: 'no',
          timestamp: 1,
          clientToken: members.get('clientToken'),
        };
        peer.publish(rejected, encodeAwsPayload('json', error));
        return;
      }
      job.status = String(members.get('status'));
      job.details = { ...(members.get('statusDetails') as Record<string, string>) };
      job.version++;
      this.statuses.push(`${job.jobId} ${job.status} ${job.details['code'] ?? job.details['step'] ?? ''}`.trim());
      reply({ timestamp: 1, clientToken: members.get('clientToken') });
    }
    if (request.kind === 'stream-get') this.#sendBlocks(peer, request.stream, format, members);
  }

  joined(thing: string, peer: Peer): void {
    this.#byThing.set(thing, peer);
  }

  #answerHoldfast(peer: Peer, thing: string, request: string, topic: string, payload: Uint8Array): void {
    if (request === 'time') peer.publish(acceptedTopic(topic), encodeTimeReply(Math.floor(systemClock.now() / 1000)));
    if (request === 'evidence/nonce') {
      peer.nonce = randomBytes(32);
      peer.publish(acceptedTopic(topic), encodeEvidenceNonce({ nonce: peer.nonce, expiresInSeconds: 300 }));
    }
    if (request === 'ratchet') peer.publish(acceptedTopic(topic), randomBytes(48));
    if (request === 'ratchet/turn') peer.publish(acceptedTopic(topic), Buffer.from('{}'));
    if (request === 'renewal') {
      peer.publish(acceptedTopic(topic), encodeRenewalReply({ renew: this.wantsRenewal.has(thing) }));
    }
    const device = this.devices.get(thing);
    if (request === 'evidence' && device !== undefined) {
      const { anchorSpki, ueid } = device;
      const verdict = verifyEvidence(payload, { anchorSpki, nonce: peer.nonce, ueid: decodeHex(ueid) });
      this.verdicts.push(verdict);
      peer.publish(acceptedTopic(topic), encodeEvidenceReply(this.judge(verdict)));
    }
  }

  #startNext(clientToken: unknown): Record<string, unknown> {
    const job =
      this.jobs.find(({ status }) => status === 'IN_PROGRESS') ?? this.jobs.find(({ status }) => status === 'QUEUED');
    if (job === undefined) return { timestamp: 1, clientToken };
    job.status = 'IN_PROGRESS';
    return { timestamp: 1, clientToken, execution: execution(job) };
  }

  #sendBlocks(peer: Peer, stream: string, format: AwsFormat, members: Parameters<typeof readStreamGet>[0]): void {
    const file = this.artifacts.get(stream) ?? new Uint8Array();
    const { c, f, l, o = 0, n, b } = readStreamGet(members);
    const selection = selectBlocks({ fileBytes: file.length, blockBytes: l, offset: o, count: n, bitmap: b });
    if (selection.kind === 'refused') throw new Error(selection.code);
    for (const { index, start, end } of selection.blocks) {
      if (this.lostBlocks.delete(index)) continue;
      if (this.cutDownloadAfter !== undefined && end > this.cutDownloadAfter) {
        this.cutDownloadAfter = undefined;
        peer.socket.destroy();
        return;
      }
      const data = { c, f, l: end - start, i: index, p: file.subarray(start, end) };
      const topic = `$aws/things/${peer.clientId}/streams/${stream}/data/${format}`;
      peer.publish(topic, encodeStreamData(format, data), 0);
    }
  }

  async #fromCsr(pem: string): Promise<Record<string, unknown>> {
    const { publicKey } = await verifyCsr(decodePem(pem, 'CERTIFICATE REQUEST'));
    return this.#certificate(publicKey.spki);
  }

  async #withKey(): Promise<Record<string, unknown>> {
    const key = await generatePrivateKey('P-256');
    return { ...(await this.#certificate(key.publicKey.spki)), privateKey: key.exportPem() };
  }

  async #certificate(spki: Uint8Array): Promise<Record<string, unknown>> {
    const certificatePem = await this.authority.device('pending', spki, this.deviceLife);
    const certificateId = createHash('sha256').update(decodePem(certificatePem, 'CERTIFICATE')).digest('hex');
    return { certificateId, certificatePem, certificateOwnershipToken: 'token' };
  }

  async #listen(): Promise<void> {
    const { key, pem } = await this.authority.server();
    const tls = {
      key: key.exportPem(),
      cert: pem,
      ca: [this.authority.rootPem],
      requestCert: true,
      rejectUnauthorized: true,
    };
    const mqtt = createTls(tls, (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      new Peer(socket, this).start();
    });
    const https = createHttps(tls, (request, response) => {
      const chunks: Uint8Array[] = [];
      request.on('data', (chunk: Uint8Array) => chunks.push(chunk));
      request.on('end', () => {
        const path = request.url ?? '';
        if (path.startsWith('/.well-known/est/')) {
          const peerName = new X509Certificate((request.socket as TLSSocket).getPeerCertificate().raw).subject;
          void this.#est(path, Buffer.concat(chunks).toString(), peerName).then(
            (body) => response.writeHead(200, { 'Content-Type': 'application/pkcs7-mime' }).end(body),
            () => response.writeHead(400).end(),
          );
          return;
        }
        const file = this.artifacts.get(path.slice(1));
        const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
        if (file === undefined || from === undefined || to === undefined) {
          response.writeHead(404).end();
          return;
        }
        response.writeHead(206, { 'Content-Range': `bytes ${from}-${to}/${file.length}` });
        response.end(file.subarray(Number(from), Number(to) + 1));
      });
    });
    this.#servers = [mqtt, https];
    for (const server of this.#servers) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.mqttPort = (mqtt.address() as AddressInfo).port;
    this.httpsPort = (https.address() as AddressInfo).port;
  }

  async #est(path: string, body: string, peerName: string): Promise<string> {
    const { info, publicKey } = await verifyCsr(decodeBase64(body));
    const thing = info.subject.rdns.flat()[0]?.text ?? '';
    if (path.endsWith('simplereenroll') && !peerName.includes(thing)) throw new Error('other subject');
    this.enrolled.push(`${path.split('/').at(-1)} ${thing}`);
    const pem = await this.authority.device(
      thing,
      publicKey.spki,
      path.endsWith('simplereenroll') ? undefined : this.deviceLife,
    );
    return `${encodeBase64(encodeCertsOnly([decodePem(pem, 'CERTIFICATE')])).replace(/(.{64})/g, '$1\n')}\n`;
  }
}

function execution(job: TestJob): Record<string, unknown> {
  const { jobId, document, status, version } = job;
  return {
    jobId,
    status,
    queuedAt: 1,
    lastUpdatedAt: 1,
    versionNumber: version,
    executionNumber: 1,
    jobDocument: document,
  };
}
