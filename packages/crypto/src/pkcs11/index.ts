export {
  CK,
  loadPkcs11Module,
  type Pkcs11Attribute,
  type Pkcs11Handle,
  type Pkcs11Mechanism,
  type Pkcs11Module,
  type Pkcs11TokenInfo,
} from './module.ts';
export { findPkcs11Objects, type Pkcs11Session, readPkcs11PublicKey } from './objects.ts';
export { pkcs11Signature, pkcs11SignOrder, type Pkcs11SignOrder } from './signatures.ts';
