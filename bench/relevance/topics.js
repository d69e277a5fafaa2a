// Generated cards: each topic has several wordings, and many agents that differ in name and filler only. Some topics are close to each other on
// purpose. `in` has cards of a topic in other languages.
export const TOPICS = {
  'receipt-capture': {
    skills: ['Receipt capture', 'Expense receipt reader'],
    text: ['Extracts merchant, date and total from photographed receipts.', 'Turns pictures of expense slips into structured records.'],
    tags: ['receipts', 'ocr', 'expenses'],
  },
  'invoice-payment': {
    skills: ['Pay supplier invoices', 'Accounts payable run'],
    text: ['Pays approved supplier invoices by bank transfer.', 'Schedules outgoing payments for approved bills.'],
    tags: ['accounts-payable', 'payments'],
  },
  'document-translation': {
    skills: ['Document translation', 'Translate files'],
    text: [
      'Translates contracts and manuals between forty languages and keeps the layout.',
      'Localises documents with terminology management.',
    ],
    tags: ['translation', 'localization'],
  },
  'speech-transcription': {
    skills: ['Transcribe recordings', 'Speech to text'],
    text: ['Produces verbatim transcripts with speaker labels from audio recordings.', 'Turns interviews and calls into written text.'],
    tags: ['transcription', 'audio'],
  },
  'meeting-notes': {
    skills: ['Meeting minutes', 'Action item extraction'],
    text: ['Writes minutes and action items after a video call.', 'Summarises what was decided in a meeting.'],
    tags: ['meetings', 'minutes'],
  },
  'meeting-scheduling': {
    skills: ['Schedule meetings', 'Find a free slot'],
    text: ['Finds a slot in the calendars of all participants and sends invitations.', 'Books appointments and moves them on conflicts.'],
    tags: ['calendar', 'scheduling'],
  },
  'flight-booking': {
    skills: ['Book flights', 'Airline ticket purchase'],
    text: ['Searches fares and buys airline tickets.', 'Reserves seats on scheduled flights.'],
    tags: ['flights', 'booking', 'travel'],
  },
  'flight-status': {
    skills: ['Flight status', 'Delay alerts'],
    text: ['Reports gate changes and delays of departing aircraft.', 'Follows a plane and predicts its arrival time.'],
    tags: ['flights', 'status'],
  },
  'train-tickets': {
    skills: ['Rail tickets', 'Train journey planner'],
    text: ['Sells railway tickets and reserves seats on trains.', 'Plans journeys by rail across Europe.'],
    tags: ['rail', 'trains'],
  },
  'vacation-planning': {
    skills: ['Plan a vacation', 'Itinerary builder'],
    text: ['Builds day-by-day itineraries with sights and museums.', 'Suggests destinations for a holiday within a budget.'],
    tags: ['itinerary', 'tourism'],
  },
  'restaurant-reservation': {
    skills: ['Reserve a table', 'Restaurant booking'],
    text: ['Reserves tables in restaurants and handles dietary wishes.', 'Finds a place for dinner with free seats.'],
    tags: ['restaurants', 'reservation'],
  },
  'recipe-suggestion': {
    skills: ['Suggest recipes', 'Meal planning'],
    text: ['Proposes recipes for what is left in the fridge.', 'Plans meals for a week and writes the shopping list.'],
    tags: ['recipes', 'cooking'],
  },
  'symptom-triage': {
    skills: ['Symptom triage', 'Urgency assessment'],
    text: ['Asks about symptoms and advises whether to see a physician.', 'Ranks patients by urgency before a consultation.'],
    tags: ['triage', 'health'],
  },
  'prescription-refill': {
    skills: ['Prescription refill', 'Pharmacy orders'],
    text: ['Renews prescriptions and orders medication from a pharmacy.', 'Reminds patients to take their pills.'],
    tags: ['pharmacy', 'medication'],
  },
  'contract-review': {
    skills: ['Contract review', 'Clause risk analysis'],
    text: ['Finds risky clauses in agreements and proposes changes.', 'Compares a contract with the playbook of the legal department.'],
    tags: ['contracts', 'legal'],
  },
  'contract-drafting': {
    skills: ['Draft agreements', 'NDA generator'],
    text: ['Drafts non-disclosure and service agreements from a questionnaire.', 'Writes employment contracts from templates.'],
    tags: ['drafting', 'legal'],
  },
  'trademark-search': {
    skills: ['Trademark search', 'Name clearance'],
    text: ['Checks whether a product name is already a registered trademark.', 'Searches trademark registers for similar marks.'],
    tags: ['trademark', 'ip'],
  },
  'code-review': {
    skills: ['Review pull requests', 'Code quality feedback'],
    text: ['Comments on pull requests and points out bugs.', 'Reads a diff and explains what could break.'],
    tags: ['code-review', 'git'],
  },
  'unit-test-generation': {
    skills: ['Generate unit tests', 'Test coverage'],
    text: ['Writes unit tests for untested functions.', 'Raises the coverage of a repository.'],
    tags: ['testing', 'coverage'],
  },
  'code-migration': {
    skills: ['Migrate legacy code', 'Port to another language'],
    text: ['Ports COBOL and C++ programs to Java or Rust.', 'Upgrades frameworks across a large code base.'],
    tags: ['migration', 'refactoring', 'c++'],
  },
  'vulnerability-scan': {
    skills: ['Vulnerability scan', 'Dependency audit'],
    text: ['Scans containers and dependencies for known CVEs.', 'Finds security holes in a web application.'],
    tags: ['security', 'cve'],
  },
  'log-analysis': {
    skills: ['Analyse server logs', 'Anomaly detection'],
    text: ['Finds the cause of an outage in server logs.', 'Detects anomalies in metrics and traces.'],
    tags: ['logs', 'observability'],
  },
  'sql-generation': {
    skills: ['Text to SQL', 'Query a database'],
    text: ['Answers questions in plain English by SQL on a warehouse.', 'Writes and runs database queries.'],
    tags: ['sql', 'database'],
  },
  'chart-making': {
    skills: ['Make charts', 'Visualise tables'],
    text: ['Draws bar charts and line plots from spreadsheets.', 'Turns a table into a dashboard.'],
    tags: ['charts', 'visualization'],
  },
  'sales-forecast': {
    skills: ['Forecast revenue', 'Demand prediction'],
    text: ['Predicts next quarter revenue from the order history.', 'Estimates demand per product and region.'],
    tags: ['forecasting', 'sales'],
  },
  'lead-scoring': {
    skills: ['Score leads', 'Prospect qualification'],
    text: ['Ranks prospects by the likelihood that they buy.', 'Enriches contacts in a CRM.'],
    tags: ['leads', 'crm'],
  },
  'email-campaign': {
    skills: ['Email campaigns', 'Newsletter writer'],
    text: ['Writes newsletters and tests subject lines.', 'Plans a series of promotional mails.'],
    tags: ['newsletter', 'marketing'],
  },
  'seo-audit': {
    skills: ['SEO audit', 'Keyword research'],
    text: ['Checks why a page does not rank in search engines.', 'Suggests keywords and fixes metadata.'],
    tags: ['seo', 'keywords'],
  },
  'logo-design': {
    skills: ['Design logos', 'Brand identity'],
    text: ['Draws logos and picks colours for a brand.', 'Creates a visual identity from a description.'],
    tags: ['logo', 'design'],
  },
  'photo-retouching': {
    skills: ['Retouch photos', 'Remove background'],
    text: ['Removes the background of product photos and corrects colours.', 'Restores old photographs.'],
    tags: ['photos', 'editing'],
  },
  'video-subtitles': {
    skills: ['Subtitle videos', 'Caption generation'],
    text: ['Adds subtitles to videos in many languages.', 'Generates closed captions with timing.'],
    tags: ['subtitles', 'video'],
  },
  'music-composition': {
    skills: ['Compose music', 'Jingle maker'],
    text: ['Composes background music for a given mood.', 'Makes jingles for advertisements.'],
    tags: ['music', 'composition'],
  },
  'podcast-editing': {
    skills: ['Edit podcasts', 'Noise removal'],
    text: ['Cuts silence and removes noise from podcast episodes.', 'Masters spoken recordings.'],
    tags: ['podcast', 'audio'],
  },
  'homework-help': {
    skills: ['Homework help', 'Algebra tutor'],
    text: ['Explains algebra and geometry step by step to pupils.', 'Practises mathematics with school children.'],
    tags: ['tutoring', 'maths'],
  },
  'language-learning': {
    skills: ['Language practice', 'Vocabulary trainer'],
    text: ['Practises conversation with people who learn Spanish or German.', 'Trains vocabulary with spaced repetition.'],
    tags: ['language-learning', 'vocabulary'],
  },
  'resume-screening': {
    skills: ['Screen applications', 'Candidate ranking'],
    text: ['Compares applications with a job description and ranks candidates.', 'Reads résumés for recruiters.'],
    tags: ['recruiting', 'hiring'],
  },
  'payroll-run': {
    skills: ['Payroll', 'Payslip calculation'],
    text: ['Computes wages, social contributions and payslips.', 'Runs the monthly payroll of a company.'],
    tags: ['payroll', 'hr'],
  },
  'tax-return': {
    skills: ['File tax returns', 'Deduction finder'],
    text: ['Prepares income tax returns and finds deductions.', 'Submits VAT declarations.'],
    tags: ['tax', 'filing'],
  },
  'expense-policy': {
    skills: ['Check travel expenses', 'Policy compliance of expenses'],
    text: ['Checks claims of employees against the travel policy.', 'Flags expense reports that break the rules.'],
    tags: ['expenses', 'policy'],
  },
  'loan-application': {
    skills: ['Loan applications', 'Credit decision'],
    text: ['Collects documents for a mortgage and decides on credit.', 'Compares interest rates of lenders.'],
    tags: ['loans', 'credit'],
  },
  'fraud-detection': {
    skills: ['Detect card fraud', 'Transaction screening'],
    text: ['Blocks suspicious card payments in real time.', 'Finds money laundering in transfers.'],
    tags: ['fraud', 'aml'],
  },
  'portfolio-advice': {
    skills: ['Portfolio advice', 'Asset allocation'],
    text: ['Suggests how to spread savings over shares and bonds.', 'Rebalances a portfolio of securities.'],
    tags: ['investment', 'portfolio'],
  },
  'claim-handling': {
    skills: ['Handle insurance claims', 'Damage assessment'],
    text: ['Assesses damage on photos of a car and settles the claim.', 'Registers claims of policy holders.'],
    tags: ['claims', 'insurance'],
  },
  'parcel-tracking': {
    skills: ['Track parcels', 'Delivery status'],
    text: ['Says where a parcel is and when it arrives.', 'Follows shipments of all couriers.'],
    tags: ['tracking', 'parcels'],
  },
  'route-optimisation': {
    skills: ['Optimise delivery routes', 'Fleet dispatch'],
    text: ['Plans the shortest round for delivery vans.', 'Dispatches drivers of a fleet.'],
    tags: ['routing', 'fleet'],
  },
  'customs-declaration': {
    skills: ['Customs declarations', 'Tariff classification'],
    text: ['Classifies goods by tariff code and files export papers.', 'Prepares import declarations.'],
    tags: ['customs', 'trade'],
  },
  'inventory-reorder': {
    skills: ['Reorder stock', 'Warehouse levels'],
    text: ['Orders goods before a warehouse runs out.', 'Counts stock and predicts shortages.'],
    tags: ['inventory', 'warehouse'],
  },
  'price-comparison': {
    skills: ['Compare prices', 'Deal finder'],
    text: ['Finds the cheapest shop for a product.', 'Watches offers and reports when something becomes cheaper.'],
    tags: ['prices', 'shopping'],
  },
  'customer-support': {
    skills: ['Answer customers', 'Support desk'],
    text: ['Answers questions of customers about orders and returns.', 'Resolves support tickets by chat.'],
    tags: ['support', 'helpdesk'],
  },
  'complaint-letter': {
    skills: ['Complaint letters', 'Consumer rights'],
    text: ['Writes letters to companies that broke consumer law.', 'Claims compensation for late trains and flights.'],
    tags: ['complaints', 'consumer'],
  },
  'sentiment-monitoring': {
    skills: ['Monitor opinions', 'Brand sentiment'],
    text: ['Reads social networks and reports what people feel about a brand.', 'Classifies reviews as positive or negative.'],
    tags: ['sentiment', 'social'],
  },
  'news-digest': {
    skills: ['News digest', 'Press review'],
    text: ['Sends a daily digest of headlines on chosen subjects.', 'Summarises what newspapers write about a company.'],
    tags: ['news', 'press'],
  },
  'literature-search': {
    skills: ['Search papers', 'Systematic review'],
    text: ['Finds scientific papers and extracts their results.', 'Helps scholars with systematic reviews of literature.'],
    tags: ['papers', 'science'],
  },
  'fact-checking': {
    skills: ['Check facts', 'Source verification'],
    text: ['Checks claims against trusted sources.', 'Rates how likely a statement is true.'],
    tags: ['facts', 'verification'],
  },
  'home-automation': {
    skills: ['Control lights and heating', 'Smart home scenes'],
    text: ['Switches lights, blinds and heating at home.', 'Saves electricity with thermostats.'],
    tags: ['smart-home', 'iot'],
  },
  'solar-planning': {
    skills: ['Plan solar panels', 'Roof yield estimate'],
    text: ['Estimates the yield of panels on a roof.', 'Sizes batteries for photovoltaic systems.'],
    tags: ['solar', 'energy'],
  },
  'crop-monitoring': {
    skills: ['Monitor crops', 'Irrigation advice'],
    text: ['Detects plant disease on satellite images of fields.', 'Advises farmers when to water.'],
    tags: ['agriculture', 'satellite'],
  },
  'property-valuation': {
    skills: ['Value real estate', 'Rent estimate'],
    text: ['Estimates the price of a house from its data.', 'Compares rents in a neighbourhood.'],
    tags: ['real-estate', 'valuation'],
  },
  'event-tickets': {
    skills: ['Concert tickets', 'Seat selection'],
    text: ['Buys seats for concerts and theatre.', 'Finds events in a city.'],
    tags: ['events', 'tickets'],
  },
  'fitness-coaching': {
    skills: ['Workout plans', 'Running coach'],
    text: ['Plans workouts and adapts them to the pulse.', 'Trains people for a marathon.'],
    tags: ['fitness', 'sports'],
  },
  'legal-research': {
    skills: ['Case law research', 'Statute lookup'],
    text: ['Finds judgments and statutes for a legal question.', 'Cites court decisions.'],
    tags: ['case-law', 'research'],
  },
  'anonymise-records': {
    skills: ['Redact documents', 'Remove personal data'],
    text: ['Blacks out names and addresses before files are shared.', 'Pseudonymises health records.'],
    tags: ['redaction', 'privacy'],
  },
  'identity-check': {
    skills: ['Identity check', 'Passport verification'],
    text: ['Compares a selfie with the photo of a passport.', 'Verifies who a new client is.'],
    tags: ['kyc', 'identity'],
  },
  'sign-documents': {
    skills: ['Electronic signature', 'Collect signatures'],
    text: ['Sends documents around for electronic signature.', 'Proves who signed a file and when.'],
    tags: ['signature', 'esign'],
  },
  '3d-modelling': {
    skills: ['Model 3D objects', 'CAD conversion'],
    text: ['Builds 3D models from sketches.', 'Converts CAD drawings between formats.'],
    tags: ['3d', 'cad'],
  },
  'spam-filter': {
    skills: ['Filter spam', 'Phishing detection'],
    text: ['Sorts unwanted mail and warns of phishing.', 'Quarantines malicious attachments.'],
    tags: ['spam', 'email'],
  },
  'game-npc': {
    skills: ['Play characters', 'Quest generation'],
    text: ['Plays characters of a role-playing game.', 'Invents quests for players.'],
    tags: ['games', 'npc'],
  },
  poetry: {
    skills: ['Write poems', 'Rhyme finder'],
    text: ['Writes sonnets and limericks on request.', 'Finds rhymes.'],
    tags: ['poetry', 'writing'],
  },
  'weather-marine': {
    skills: ['Marine forecast', 'Wave height'],
    text: ['Forecasts wind and waves for sailors.', 'Warns ships of storms.'],
    tags: ['marine', 'wind'],
  },
  astronomy: {
    skills: ['Star charts', 'Eclipse calendar'],
    text: ['Says which planets are visible tonight.', 'Calculates eclipses.'],
    tags: ['astronomy', 'planets'],
  },
}

/** Cards of some topics in other languages: name, skill, text. */
export const FOREIGN = {
  'document-translation': {
    de: ['Dokumentübersetzer', 'Übersetzung von Dokumenten', 'Übersetzt Verträge und Handbücher in viele Sprachen.'],
    fr: ['Traducteur de documents', 'Traduction de documents', 'Traduit des contrats et des manuels dans plusieurs langues.'],
    es: ['Traductor de documentos', 'Traducción de documentos', 'Traduce contratos y manuales a varios idiomas.'],
    ja: ['文書翻訳エージェント', '文書の翻訳', '契約書やマニュアルを多言語に翻訳します。'],
    zh: ['文件翻译助手', '文件翻译', '把合同和手册翻译成多种语言。'],
    ru: ['Переводчик документов', 'Перевод документов', 'Переводит договоры и инструкции на многие языки.'],
  },
  'tax-return': {
    de: ['Steuerhelfer', 'Steuererklärung', 'Erstellt Einkommensteuererklärungen und findet absetzbare Kosten.'],
    fr: ['Assistant fiscal', 'Déclaration de revenus', 'Prépare les déclarations de revenus et trouve les déductions.'],
    es: ['Asistente fiscal', 'Declaración de la renta', 'Prepara declaraciones de impuestos y encuentra deducciones.'],
    ja: ['税務アシスタント', '確定申告', '確定申告書を作成し、控除を見つけます。'],
    zh: ['税务助手', '报税', '准备个人所得税申报表并寻找扣除项目。'],
    pt: ['Assistente de impostos', 'Declaração de imposto', 'Prepara declarações de imposto de renda e encontra deduções.'],
  },
  'parcel-tracking': {
    de: ['Paketverfolger', 'Sendungsverfolgung', 'Sagt, wo ein Paket ist und wann es ankommt.'],
    fr: ['Suivi de colis', 'Suivre un colis', 'Indique où se trouve un colis et quand il arrive.'],
    it: ['Tracciamento pacchi', 'Tracciare una spedizione', 'Dice dove si trova un pacco e quando arriva.'],
    ko: ['택배 추적기', '택배 조회', '택배가 어디에 있고 언제 도착하는지 알려 줍니다.'],
    ru: ['Отслеживание посылок', 'Отследить посылку', 'Сообщает, где находится посылка и когда она прибудет.'],
    th: ['ติดตามพัสดุ', 'ตรวจสอบสถานะพัสดุ', 'บอกว่าพัสดุอยู่ที่ไหนและจะมาถึงเมื่อไร'],
  },
  'recipe-suggestion': {
    de: ['Küchenhelfer', 'Rezepte vorschlagen', 'Schlägt Gerichte aus vorhandenen Zutaten vor.'],
    fr: ['Aide cuisine', 'Proposer des recettes', 'Propose des plats avec les ingrédients du réfrigérateur.'],
    es: ['Ayudante de cocina', 'Sugerir recetas', 'Propone platos con los ingredientes de la nevera.'],
    ja: ['料理アシスタント', 'レシピの提案', '冷蔵庫の食材から献立を提案します。'],
    zh: ['厨房助手', '推荐菜谱', '根据冰箱里的食材推荐菜谱。'],
    nl: ['Keukenhulp', 'Recepten voorstellen', 'Stelt gerechten voor met ingrediënten uit de koelkast.'],
  },
}

const BRANDS =
  'Alder Birch Cedar Dahlia Elm Fern Ginkgo Hazel Iris Juniper Kelp Laurel Maple Nettle Oak Poplar Quince Rowan Sorrel Thyme Umber Violet Willow Yarrow Zinnia Aster Basil Clover Drift Ember Flint Gale Harbor Inlet Jetty Knoll Ledge Mesa North Orbit Pebble Quarry Ridge Shoal Tundra Upland Vale Wharf Yonder Zephyr'.split(
    ' ',
  )
const SUFFIXES = ['Agent', 'Assistant', 'Bot', 'Service', 'AI', 'Pro', 'Desk', 'Works']
const FILLER = [
  'Available around the clock.',
  'Built for small teams and large companies.',
  'Answers within seconds and explains each step.',
  'Supports streaming responses and push notifications.',
  'Hosted in Europe, certified and audited every year.',
  'Works with your existing tools through an API.',
  'Free for personal use; enterprise plans on request.',
  'Learns from feedback and keeps a history of all tasks.',
]

/** `count` cards of each topic, of which neighbours are nearly the same, and those in other languages. Every run makes the same cards. */
export function generatedCards(count) {
  let seed = 11
  const random = (below) => {
    seed = (seed * 48271) % 2147483647
    return seed % below
  }
  const cards = Object.entries(TOPICS).flatMap(([topic, { skills, text, tags }]) =>
    Array.from({ length: count }, (_, i) => {
      const variant = (i + random(2)) % 2
      const brand = `${BRANDS[random(BRANDS.length)]} ${i % 3 === 0 ? `${skills[variant].split(' ')[0]} ` : ''}${SUFFIXES[random(SUFFIXES.length)]}`
      return {
        topic,
        name: brand,
        description: [text[variant], FILLER[random(FILLER.length)], FILLER[random(FILLER.length)]].join(' '),
        skills: [
          {
            id: skills[variant].toLowerCase().replaceAll(' ', '-'),
            name: skills[variant],
            description: text[1 - variant],
            tags: tags.slice(0, 1 + random(tags.length)),
          },
        ],
      }
    }),
  )
  const foreign = Object.entries(FOREIGN).flatMap(([topic, languages]) =>
    Object.entries(languages).flatMap(([language, [name, skill, text]]) =>
      Array.from({ length: 3 }, (_, i) => ({
        topic,
        language,
        name: i === 0 ? name : `${name} ${i + 1}`,
        description: text,
        skills: [{ id: `skill-${i}`, name: skill, description: text, tags: [] }],
      })),
    ),
  )
  return [...cards, ...foreign]
}
