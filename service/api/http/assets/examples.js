/** Sentences to begin with, by the language they are in; and pairs that share a word with two meanings. */

const SENTENCES = {
  en: ["I am a student.", "The file could not be opened.", "Select the language of the program.", "The children are playing in the garden."],
  ko: ["나는 학생입니다.", "파일을 열 수 없습니다.", "저는 매일 아침 커피를 마십니다."],
  de: ["Ich bin Student.", "Die Datei konnte nicht geöffnet werden."],
  fr: ["Je suis étudiant.", "Impossible d’ouvrir le fichier."],
  es: ["Soy estudiante.", "No se pudo abrir el archivo."],
};

/** {word, language, sentences}: the word stands in both, and means something else in each. */
export const PAIRS = [
  { word: "은행", language: "ko", sentences: ["나는 은행에 돈을 맡겼습니다.", "가을에 은행 나무의 잎이 노랗습니다."] },
  { word: "bank", language: "en", sentences: ["I put my money in the bank.", "We sat on the bank of the river."] },
  { word: "인도", language: "ko", sentences: ["그는 인도 음식을 좋아합니다.", "자전거는 인도 위로 다닐 수 없습니다."] },
];

/** Sentences of a language; none where none are known. */
export function examplesFor(language) {
  return SENTENCES[language.split("-")[0]] ?? [];
}
