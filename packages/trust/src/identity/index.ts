export type {
  CertificateWish,
  ConnectionPlace,
  DirectEnrollment,
  EnrollmentContext,
  EnrollmentDoor,
  PeerIdentifier,
  PeerVerdict,
  PendingCertificate,
  Registration,
  RegistrationWish,
  Takeover,
  TakeoverWatch,
} from './contracts.ts';
