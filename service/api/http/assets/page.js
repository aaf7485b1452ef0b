const response = await fetch("/v1/models");
const answer = await response.json();
if (!response.ok) document.querySelector("#failure").textContent = answer.message;
for (const model of answer.models ?? []) {
  const pairs = model.languagePairs.map((pair) => `${pair.sourceLanguageCode} → ${pair.targetLanguageCode}`);
  const row = document.querySelector("#models").insertRow();
  for (const text of [model.name, model.version, pairs.join(", "), model.architecture, model.precision]) {
    row.insertCell().textContent = text;
  }
}
