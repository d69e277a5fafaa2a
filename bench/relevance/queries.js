// Labelled queries: kind, text, what is relevant, and what is somewhat relevant. `@Name` is the card of that name of ../shared/cards, which may exist
// several times; any other label is a topic of topics.js.
const NAMES = `
weatherbot pro|@WeatherBot Pro
Chess Agent|@Chess Agent
coin railz|@Coin Railz|@Coin Railz x402 Payment Infrastructure
Moltbridge|@MoltBridge
swarm.at|@swarm.at Settlement Protocol
steve jobs|@Steve Jobs
policycheck|@PolicyCheck
darkweb checker|@DarkWeb-Checker
data anonymizer|@Data-Anonymizer
compliance validator|@Compliance-Validator
Door-Keeper|@Door-Keeper
ip inspector|@IP-Inspector
SmartDict|@SmartDict Bot
Dad Joke Agent|@Dad Joke Agent
statista|@Statista Research Agent
orbiads|@GAM Inventory Sentinel
vap-e|@VAP-E Media Execution Agent
nexara|@Nexara Sovereign Auditor
opspawn|@OpSpawn AI Agent
ganjamon|@GanjaMon AI
anybrowse|@anybrowse
complaint manager|@Complaint-Manager
sodexo|@Sodexo Group
SMP tutoring|@SMP Tutoring
draw.io|@AI Draw.io Agent
A2ABench|@A2ABench
hotel booking agent|@Hotel Booking Agent
LEASH-8|@LEASH-8 Scorecard Agent
document generator agent|@DocumentGeneratorAgent
`
const SKILLS = `
convert money between currencies|@Currency Conversion Agent
exchange rates|@Currency Conversion Agent
meteorological outlook|@WeatherBot Pro|weather-marine
programming and bug fixing|@Code Agent|code-review
visualise statistics|@Data Agent|@Statista Research Agent,chart-making
vehicle hire|@Car Rental Agent
reserve accommodation|@Hotel Booking Agent
humour on demand|@Dad Joke Agent
word meanings|@SmartDict Bot|language-learning
capture a web page as image|@OpSpawn AI Agent
crawl websites to markdown|@anybrowse|@OpSpawn AI Agent
stolen data on the dark web|@DarkWeb-Checker
smart contract auditing|@Coin Railz x402 Payment Infrastructure|@Coin Railz
de-identification of datasets|@Data-Anonymizer|anonymise-records
return and refund terms of sellers|@PolicyCheck|complaint-letter
patents and copyrights|@IP-Inspector|trademark-search
diagrams from text|@AI Draw.io Agent|chart-making
food and medicine interactions|@Sage|prescription-refill
create bills and compute VAT|@Accounting Ai Mcp|tax-return
ad manager inventory|@GAM Inventory Sentinel
prediction markets|@Bot Hub
digitise expense slips|receipt-capture|expense-policy
settle vendor bills|invoice-payment
localise manuals|document-translation
dictation to text|speech-transcription|podcast-editing
minutes of a call|meeting-notes
free slot in calendars|meeting-scheduling
airline fares|flight-booking|flight-status
late aircraft alerts|flight-status|flight-booking
railway journeys|train-tickets
table for dinner|restaurant-reservation
medical urgency|symptom-triage
renewing medication|prescription-refill
risky clauses|contract-review|contract-drafting
non-disclosure agreements|contract-drafting|contract-review
pull request feedback|code-review
coverage of functions|unit-test-generation
port C++ to Rust|code-migration
known CVEs in containers|vulnerability-scan
anomalies in metrics|log-analysis
querying a warehouse in English|sql-generation
predict demand|sales-forecast
prospect ranking|lead-scoring
newsletters|email-campaign
keyword suggestions for search engines|seo-audit
remove picture backgrounds|photo-retouching
closed captions|video-subtitles
background music|music-composition
algebra for pupils|homework-help
payslips|payroll-run
suspicious card transactions|fraud-detection
mortgage documents|loan-application
tariff codes|customs-declaration
smart thermostat|home-automation
yield of photovoltaics|solar-planning
house price estimates|property-valuation
court decisions|legal-research
electronic signing|sign-documents
`
const TASKS = `
I need someone to find out whether my passwords or personal data were leaked in a breach|@DarkWeb-Checker|@DataBroker-Monitor
Can you tell me if I will need an umbrella in Berlin tomorrow?|@WeatherBot Pro
please help me find a place to stay in Lisbon for three nights|@Hotel Booking Agent
I want to rent a car at the airport next week|@Car Rental Agent
how many euros do I get for 200 dollars|@Currency Conversion Agent
I would like to hear something funny about cats|@Dad Joke Agent
what does the word serendipity mean|@SmartDict Bot
make my Python script faster and find the bug in it|@Code Agent|code-review
turn this CSV of numbers into insights|@Data Agent|chart-making,sql-generation
before I buy from this shop, check its return policy|@PolicyCheck
file a complaint to the regulator about misuse of my data|@Complaint-Manager|complaint-letter
remove personal attributes from our dataset before we publish it|@Data-Anonymizer|anonymise-records
draw a flowchart of our onboarding process|@AI Draw.io Agent|chart-making
break a big goal into tasks that somebody can do|@Langraph Planner Agent|@Planning Agent,@Task-Planner
does grapefruit interact with my blood pressure pills|@Sage|prescription-refill
read the current page as markdown so that my model can use it|@anybrowse|@OpSpawn AI Agent
I have a shoebox full of receipts and need them in a spreadsheet for my accountant|receipt-capture|expense-policy
our suppliers are waiting for their money, pay all approved bills this week|invoice-payment
translate this rental contract from Polish to English and keep the formatting|document-translation
write down everything that was said in this interview recording|speech-transcription|meeting-notes
send me the decisions and to-dos from this morning's video call|meeting-notes
find a time next week when all five of us are free|meeting-scheduling
get me the cheapest plane ticket to Tokyo in May|flight-booking|price-comparison
is flight LH454 delayed today|flight-status
plan five days in Rome with museums and good walks for my family|vacation-planning
my child does not understand geometry homework|homework-help
what can I cook with eggs, spinach and old bread|recipe-suggestion
I have had a fever and a rash since yesterday, should I see a physician|symptom-triage
check this agreement for clauses that could hurt us|contract-review|contract-drafting
draw up an NDA for a freelancer|contract-drafting|contract-review
is the name Zentro still free or does someone own the trademark|trademark-search
look over my pull request before I merge it|code-review
we have a COBOL program from 1985 that should run as Java|code-migration
why did our server go down last night, the logs are huge|log-analysis
ask our database how many customers ordered twice without writing SQL myself|sql-generation
which of these prospects will most likely buy|lead-scoring
our page is on the third page of search results, why|seo-audit
cut the silence and the noise out of my podcast|podcast-editing
I want to practise speaking Spanish every day|language-learning
rank two hundred applications for our engineering job|resume-screening
calculate the wages of our ten employees for June|payroll-run
do my income tax and find what I can deduct|tax-return
somebody used my credit card, block suspicious payments|fraud-detection
where is my package and when will it arrive|parcel-tracking
shortest tour for six delivery vans through the city|route-optimisation
which customs code do ceramic mugs have|customs-declaration
tell me when this camera gets cheaper|price-comparison
what do people on social networks feel about our new brand|sentiment-monitoring
every morning a short overview of headlines about energy|news-digest
find all clinical studies on vitamin D and summarise their results|literature-search
is it true that glass is a liquid, check sources|fact-checking
turn the heating down when nobody is at home|home-automation
how much power would panels on my roof give|solar-planning
are my tomato plants ill, here are satellite pictures of the field|crop-monitoring
what is a fair rent for a flat in this neighbourhood|property-valuation
get me two seats for the concert on Friday|event-tickets
prepare me for a marathon in October|fitness-coaching
black out all names in these files before we send them|anonymise-records
make sure that a new client is who he says he is by his passport|identity-check
I need this paper signed by three people today|sign-documents
`
const TYPOS = `
wether forcast|@WeatherBot Pro|weather-marine
curency converson|@Currency Conversion Agent
chess agnet|@Chess Agent
statsita research|@Statista Research Agent
polcycheck|@PolicyCheck
anonimizer|@Data-Anonymizer
complience validator|@Compliance-Validator
swarm setlement|@swarm.at Settlement Protocol
hotle booking|@Hotel Booking Agent
dictionery|@SmartDict Bot
blokchain smart contrcat scanner|@Coin Railz x402 Payment Infrastructure|@Coin Railz
nutriton analysis|@Sage
screenshoot of a page|@OpSpawn AI Agent
moltbrigde|@MoltBridge
diagramm generaton|@AI Draw.io Agent|chart-making
reciept capture|receipt-capture
transkription of recordings|speech-transcription
documnet tranlsation|document-translation
meetng minutes|meeting-notes
flihgt status|flight-status
restarant reservaton|restaurant-reservation
perscription refil|prescription-refill
trademrak search|trademark-search
vulnerabilty scan|vulnerability-scan
anomly detection|log-analysis
keywrod reserch seo|seo-audit
subtitels for videos|video-subtitles
morgage credit decison|loan-application
payrol|payroll-run
custums declaraton|customs-declaration
resturant|restaurant-reservation
elecronic signiture|sign-documents
astronmy planets|astronomy
irigation advice|crop-monitoring
`
const PREFIXES = `
weatherb|@WeatherBot Pro
coinr|@Coin Railz,@Coin Railz x402 Payment Infrastructure
moltb|@MoltBridge
anonymiz|@Data-Anonymizer|anonymise-records
ganj|@GanjaMon AI
transcr|speech-transcription
locali|document-translation
itiner|vacation-planning
prescr|prescription-refill
tradem|trademark-search
vulnerab|vulnerability-scan
photov|solar-planning
subtit|video-subtitles
astron|astronomy
pseudonym|anonymise-records
limeri|poetry
cobo|code-migration
payr|payroll-run
`
const LANGUAGES = `
Vertrag übersetzen|document-translation
Wer kann meine Steuererklärung machen?|tax-return
wo ist mein Paket|parcel-tracking
Rezepte mit Zutaten aus dem Kühlschrank|recipe-suggestion
traduire un contrat|document-translation
suivre mon colis|parcel-tracking
préparer ma déclaration de revenus|tax-return
que cuisiner avec les ingrédients que j'ai|recipe-suggestion
traducir un manual al alemán|document-translation
necesito ayuda con mis impuestos|tax-return
sugerir una receta|recipe-suggestion
ajuda com o imposto de renda|tax-return
dove si trova il mio pacco|parcel-tracking
gerechten met wat er in de koelkast is|recipe-suggestion
契約書を翻訳してほしい|document-translation
確定申告を手伝って|tax-return
冷蔵庫の食材でレシピ|recipe-suggestion
把合同翻译成英文|document-translation
帮我报税|tax-return
推荐一个菜谱|recipe-suggestion
택배가 어디에 있나요|parcel-tracking
перевести договор на английский|document-translation
где моя посылка|parcel-tracking
พัสดุของฉันอยู่ที่ไหน|parcel-tracking
Wetter morgen|@WeatherBot Pro|weather-marine
réserver un hôtel|@Hotel Booking Agent
alquilar un coche|@Car Rental Agent
天気予報|@WeatherBot Pro|weather-marine
jogar xadrez|@Chess Agent
анекдот|@Dad Joke Agent
`

const read = (kind, text) =>
  text
    .trim()
    .split('\n')
    .map((line) => {
      const [query, relevant = '', somewhat = ''] = line.split('|')
      const labels = (list) => list.split(',').filter((label) => label !== '')
      return { kind, query, relevant: labels(relevant), somewhat: labels(somewhat) }
    })

export const QUERIES = [
  ...read('names', NAMES),
  ...read('skills', SKILLS),
  ...read('tasks', TASKS),
  ...read('typos', TYPOS),
  ...read('prefixes', PREFIXES),
  ...read('languages', LANGUAGES),
]
