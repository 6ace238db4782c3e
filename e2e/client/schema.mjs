// Turns the components of an OpenAPI 3.0 document into JSON Schema checks.
import Ajv from "ajv";
import { parse } from "yaml";

// validator returns check(name, data): the list of departures of data from
// the component called name. ChallengeTypes is resolved by its discriminator,
// so that a departure is reported for the one type that was meant.
export function validator(text) {
  const document = parse(text, { maxAliasCount: -1 });
  const schemas = document.components.schemas;
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
  ajv.addSchema({ $id: "openapi", components: { schemas: convert(schemas) } });
  return (name, data) => {
    const { discriminator } = schemas[name];
    if (discriminator) {
      const ref = discriminator.mapping?.[data?.[discriminator.propertyName]];
      if (!ref) return [`unknown ${discriminator.propertyName}: ${JSON.stringify(data?.[discriminator.propertyName])}`];
      name = ref.split("/").pop();
    }
    const validate = ajv.compile({ $ref: `openapi#/components/schemas/${name}` });
    if (validate(data)) return [];
    return validate.errors.map((e) => `${name}${e.instancePath}: ${e.message}`);
  };
}

// convert rewrites what OpenAPI 3.0 says in words of its own: nullable, and
// references that are relative to the document.
function convert(node) {
  if (Array.isArray(node)) return node.map(convert);
  if (node === null || typeof node !== "object") return node;
  const out = {};
  for (const [key, value] of Object.entries(node)) {
    if (key === "$ref") out.$ref = value.replace(/^#/, "openapi#");
    else if (key === "nullable" || key === "discriminator" || key === "example") continue;
    else out[key] = convert(value);
  }
  return node.nullable === true ? { anyOf: [out, { type: "null" }] } : out;
}
