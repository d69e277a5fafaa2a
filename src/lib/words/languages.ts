// Languages of which search knows stems and stop words. A text is read in the language whose stop words it has most of, by default in English.
import { stemmer as dutch } from '@orama/stemmers/dutch'
import { stemmer as english } from '@orama/stemmers/english'
import { stemmer as french } from '@orama/stemmers/french'
import { stemmer as german } from '@orama/stemmers/german'
import { stemmer as italian } from '@orama/stemmers/italian'
import { stemmer as portuguese } from '@orama/stemmers/portuguese'
import { stemmer as russian } from '@orama/stemmers/russian'
import { stemmer as spanish } from '@orama/stemmers/spanish'
import { stemmer as swedish } from '@orama/stemmers/swedish'
import { BoundedMap } from '../bounded-map.js'

/** The stemmer of a language and its stop words: words that say nothing about what an agent does. */
const LANGUAGES = {
  en: {
    stem: english,
    stopWords: `a an and any are as at be been by can could did do does doing done for from get give had has have having he her here his how i if in
      into is it its just let like me more most my no not of on or our out over please she should so some somebody someone something such than that
      the their them then there these they this those through to too under up us using via want wants was we were what when where which while who whom
      whose why will with would you your need needs needed help helps looking look find able other others one ones also each all both im ive id s t about after again already
      always anybody anyone anything because before best better between big but come even ever every everybody everyone everything few first five four go
      going gone good got great hello here hi keep know last less let little long lot made make makes making many may maybe me might much must never
      new next nice nobody nothing now often old once own people person put quite really right same say says second see send several shall show since
      soon sometimes still take takes tell thank thanks thing things think three time times today together tomorrow tonight too took try two until upon
      us use used uses using usually very want wanted way week weeks weekend well went whether while within without yes yesterday yet morning evening
      afternoon day days month months year years hour hours minute minutes monday tuesday wednesday thursday friday saturday sunday who's whose`,
  },
  de: {
    stem: german,
    stopWords: `aber alle als am an auch auf aus bei bin bis bitte brauche braucht da damit das dass dem den denn der des die dies diese diesem diesen
      dieser dieses doch du durch ein eine einem einen einer eines er es etwas fur gibt habe haben hat hilf hilfe ich ihr im in ist jemand jemanden kann
      kein keine konnen mein meine meinem meinen meiner mich mir mit mochte muss nach nicht noch nur ob oder ohne sehr sein seine sich sie sind soll
      suche sagen sag heute morgen gestern woche jetzt mal gern gerne viel viele uber um und uns unser unsere unter vom von vor war was wenn wer werden wie will wir wird wo zu zum zur`,
  },
  fr: {
    stem: french,
    stopWords: `a ai aide au aux avec besoin ce ces cette cherche comme comment d dans de des du elle en est et etre eux faire fait faut il ils j je l
      la le les leur leurs lui ma mais me mes moi mon n ne nos notre nous on ou par pas peut peux plus pour pourrait qu que quel quelqu quelque qui s sa
      sans se ses son sont sur ta te tes toi ton tous tout tres tu un une veux voudrais aujourd hui demain hier semaine maintenant vos votre vous y`,
  },
  es: {
    stem: spanish,
    stopWords: `a al algo alguien algun alguna ante ayuda busco como con cual cuando de del desde donde e el ella en entre es esta estan este esto
      estoy fue ha hacer hay la las le les lo los mas me mi mis mucho necesito no nos nuestra nuestro o para pero por porque puede puedes que quien
      quiero se ser si sin sobre son su sus te tengo tiene todo todos tu un una unas uno unos y ya yo hoy manana ayer semana`,
  },
  pt: {
    stem: portuguese,
    stopWords: `a ao aos aquela aquele as ate com como da das de dela dele do dos e ela ele em entre era esta este eu fazer foi ha isso isto ja lhe
      mais mas me meu meus minha minhas muito na nao nas no nos num numa o os ou para pela pelo por posso precisa preciso procuro qual quando que quem
      quero se sem ser seu seus so sua suas tem tenho um uma umas uns voce hoje amanha ontem semana`,
  },
  it: {
    stem: italian,
    stopWords: `a ad ai al alla alle allo anche aiuto bisogno c che chi ci come con cosa cui da dal dalla dei del della delle dello di e ed fare gli ha
      ho i il in io l la le lei lo loro lui ma mi mia mie miei mio molto ne nei nel nella non o ogni per piu puo qualcuno qualcosa quale quando quello
      questa questo se senza si sia sono su sua sue sui sul sulla suo tra tu tutti un una uno vi voglio vorrei oggi domani ieri settimana`,
  },
  nl: {
    stem: dutch,
    stopWords: `aan al als altijd ben bij daar dan dat de deze die dit door dus een en er ergens geen haar heb hebben heeft help het hier hij hoe hun
      iemand iets ik in is je kan kun kunnen maar me met mij mijn moet na naar niet nog nodig nu of om omdat onder ons onze ook op over te tegen tot u
      uit van veel voor waar wat we wel werd wie wij wil worden zal ze zich zij zijn zoek zonder zou`,
  },
  sv: {
    stem: swedish,
    stopWords: `alla allt att av behover blev bli da de dem den denna det detta dig din du efter ej eller en ett for fran ha han har hjalp hon hur i
      icke inte jag kan man med mig min mitt mot mycket nagon nagot nar och om oss pa sa sig sin ska skulle som till under upp ut utan vad var vara vem
      vi vid vill`,
  },
  ru: {
    stem: russian,
    stopWords: `а без более бы был была были было быть в вам вас весь во вот все всех вы где да для до его ее если есть еще же за здесь и из или им
      их к как ко когда кто ли либо мне может можно мой моя мы на надо нам нас наш не него нет ни но ну нужен нужна нужно о об он она они оно от по
      под помоги помощь при с со так также такой там то того тоже только у уже хочу чего чем что чтобы эта эти это этот я`,
  },
} as const

export type Language = keyof typeof LANGUAGES

const ALL = Object.keys(LANGUAGES) as Language[] // the keys of the table
const STOP_WORDS = new Map(ALL.map((language) => [language, new Set(LANGUAGES[language].stopWords.split(/\s+/))]))

export const isStopWord = (language: Language, word: string): boolean => STOP_WORDS.get(language)?.has(word) ?? false

/** The language of a text, which is given as folded words. */
export function languageOf(words: readonly string[]): Language {
  const counts = ALL.map((language) => words.reduce((count, word) => count + (isStopWord(language, word) ? 1 : 0), 0))
  return ALL[counts.indexOf(Math.max(...counts))] ?? 'en'
}

const isCyrillic = (word: string): boolean => /\p{Script=Cyrillic}/u.test(word)
/** Suffixes are removed from words of letters only, so that `c++` and `x402` stay as they are. */
const hasStem = (word: string): boolean => word.length > 2 && /^\p{L}+$/u.test(word)

export function stemOf(language: Language, word: string): string {
  if (!hasStem(word)) return word
  const stem = LANGUAGES[isCyrillic(word) ? 'ru' : language].stem(word)
  return stem.length < 2 ? word : stem
}

const cache = new BoundedMap<string, readonly string[]>(20_000)

/** The distinct stems of a word in all languages: a query is too short to show its language. */
export function stemsOf(word: string): readonly string[] {
  return cache.get(word) ?? cache.set(word, [...new Set(ALL.map((language) => stemOf(language, word)))])
}
