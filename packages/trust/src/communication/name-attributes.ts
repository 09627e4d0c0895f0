export const NAME_ATTRIBUTES = [
  'DistinguishedNameQualifier',
  'Country',
  'Organization',
  'OrganizationalUnit',
  'State',
  'CommonName',
  'SerialNumber',
  'Title',
  'Surname',
  'GivenName',
  'Initials',
  'Pseudonym',
  'GenerationQualifier',
  'AlternativeName.RFC822Name',
  'AlternativeName.DNSName',
  'AlternativeName.DirectoryName',
  'AlternativeName.UniformResourceIdentifier',
  'AlternativeName.IPAddress',
] as const;

/** The names a policy may give to parts of a certificate's subject and issuer. */
export type NameAttribute = (typeof NAME_ATTRIBUTES)[number];
