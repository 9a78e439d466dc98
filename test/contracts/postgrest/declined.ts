const valuesUntold = 'of a statement of a function, SQLite does not say which values it tried'

/**
 * Cases that are a judgement and that Atoll decides otherwise, by the beginning of their id, with the reason. Every
 * other case must pass.
 */
export const declined: Readonly<Record<string, string>> = {
  'OpenApi/OpenApiSpec/openapi/table/includes-a-fk-description':
    'SQLite integers have 64 bits: int64, not int32',
  'OpenApi/OpenApiSpec/openapi/postgresql-to-swagger-type-mapping/character-varying':
    'SQLite has one type of text; its name is text',
  'OpenApi/OpenApiSpec/openapi/postgresql-to-swagger-type-mapping/integer': 'SQLite integers have 64 bits',
  'OpenApi/OpenApiSpec/openapi/postgresql-to-swagger-type-mapping/numeric':
    'SQLite has REAL, a double, for these',
  'OpenApi/OpenApiSpec/openapi/postgresql-to-swagger-type-mapping/real':
    'SQLite has REAL, a double, for these',
  'OpenApi/OpenApiSpec/openapi/detects-default-values/enum':
    'an enum is text with a list of values, not a type',
  'OptionsSpec/allow-header/a-view/non-auto-updatable/': 'the schema leaves these triggers out',
  'Query/EmbedDisambiguationSpec/resource-embedding-disambiguation/disambiguating-requests-with-embed-hints/using-the-column-name-of-the-fk-to-specify-the-relationship/will-embed-using-a-column-that-has-uppercase-chars':
    'the schema leaves this foreign key out',
  'Query/InsertSpec/posting-new-record/post-with-columns-parameter/apply-defaults-on-missing-values/inserts-view-default-values':
    'the schema leaves out the default that the view has of its own',
  'Query/JsonOperatorSpec/json-and-jsonb-operators/shaping-response-with-select-parameter/fails-on-bad-casting':
    'refused with 22P02 as well, but D1 does not say which value it was',
  'Query/Preferences/TimezoneSpec/test-prefer-timezone-america': 'timestamps are text in this schema',
  'Query/Preferences/TimezoneSpec/test-prefer-timezone-offsets/should-change':
    'timestamps are text in this schema',
  'Query/QuerySpec/disable-legacy-target-names/shaping-response-with-select-parameter/works-when-embedding-the-same':
    'timestamps are text in this schema, so a date without dashes does not compare',
  'Query/QuerySpec/weird-requests/will-embed-a-collection': 'the schema leaves this foreign key out',
  'Query/RelatedQueriesSpec/related-queries/related-conditions-through-null-operator-on-embed/works-with-count-estimated':
    'estimated counts are exact',
  'RollbackSpec/tx-allow-override-true/prefer-tx-commit/raises-immediate': valuesUntold,
  'RollbackSpec/tx-allow-override-true/prefer-tx-rollback/raises-immediate': valuesUntold,
  'RollbackSpec/tx-rollback-all-false-tx-allow-override-false/without-prefer-tx/raises-deferred':
    valuesUntold,
  'RollbackSpec/tx-rollback-all-false-tx-allow-override-false/prefer-tx-rollback/raises-immediate':
    valuesUntold,
}
