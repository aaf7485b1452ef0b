/** Sentences to begin with, by the language they are in; and pairs that share a word with two meanings. */

const SENTENCES = {
  en: [
    "The children are playing in the garden.",
    "My mother reads a book every evening.",
    "The file could not be opened.",
    "Open the window, please.",
  ],
  ko: ["아이들이 정원에서 놀고 있습니다.", "저는 매일 아침 커피를 마십니다.", "파일을 열 수 없습니다."],
  de: ["Ich bin Student.", "Die Datei konnte nicht geöffnet werden."],
  fr: ["Je suis étudiant.", "Impossible d’ouvrir le fichier."],
  es: ["Soy estudiante.", "No se pudo abrir el archivo."],
};

/** {word, language, sentences}: the word stands in both, and means something else in each. */
export const PAIRS = [
  { word: "은행", language: "ko", sentences: ["은행에 돈이 있습니다.", "마당에 큰 은행 나무가 있습니다."] },
  { word: "bank", language: "en", sentences: ["The bank is closed today.", "The river bank is green."] },
  { word: "light", language: "en", sentences: ["The light is green.", "This bag is light."] },
  { word: "인도", language: "ko", sentences: ["나는 인도에 갔습니다.", "아이들이 인도 위를 걷습니다."] },
];

/** Sentences of a language; none where none are known. */
export function examplesFor(language) {
  return SENTENCES[language.split("-")[0]] ?? [];
}
